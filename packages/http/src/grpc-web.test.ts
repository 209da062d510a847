import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Base64Decoder, encodeTrailersFrame } from "./grpc-web.ts";
import { HeaderList } from "./header-list.ts";

test("base64 is read whatever the pieces, also with padding in the middle", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 9 })),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (flushes, cuts) => {
        const text = Buffer.from(flushes.map((bytes) => Buffer.from(bytes).toString("base64")).join(""));
        const decoder = new Base64Decoder();
        const read: Buffer[] = [];
        for (let at = 0, i = 0; at < text.length; i++) {
          const end = Math.min(text.length, at + (cuts[i] ?? 5));
          const piece = decoder.push(text, at, end);
          assert.ok(piece);
          read.push(piece);
          at = end;
        }
        assert.ok(decoder.isWhole);
        assert.deepEqual(Buffer.concat(read), Buffer.concat(flushes));
      },
    ),
  );
});

test("what is no base64, or lacks its padding, is told", () => {
  for (const text of ["!AAA", "A=AA", "====", "A===", "AA=A", "AAA\n", "AA-_"])
    assert.equal(new Base64Decoder().push(Buffer.from(text), 0, 4), undefined, text);
  const decoder = new Base64Decoder();
  assert.equal(decoder.push(Buffer.from("AAAAA"), 0, 5)?.length, 3);
  assert.equal(decoder.isWhole, false);
});

test("trailers become a frame of their own", () => {
  const trailers = new HeaderList();
  trailers.set("grpc-status", "5");
  trailers.set("grpc-message", "caf%C3%A9");
  const frame = encodeTrailersFrame(trailers);
  const block = "grpc-status:5\r\ngrpc-message:caf%C3%A9\r\n";
  assert.deepEqual([frame[0], frame.readUInt32BE(1), frame.toString("latin1", 5)], [0x80, block.length, block]);
});
