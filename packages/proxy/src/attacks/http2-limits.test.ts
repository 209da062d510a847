import assert from "node:assert/strict";
import { test } from "node:test";
import { AttackArena } from "../testing/attack-arena.ts";
import { Http2Attacker } from "../testing/http2-attacker.ts";
import { data, frame, frameType, ping, request, windowUpdate } from "../testing/http2-frames.ts";

const post = request(1, "/app/never", { method: "POST", isEnd: false });

test("floods are cut off where the configuration says", async (t) => {
  const arena = await AttackArena.start({
    manager: {
      http2_protocol_options: {
        max_outbound_frames: 20,
        max_outbound_control_frames: 10,
        max_consecutive_inbound_frames_with_empty_payload: 3,
        max_inbound_priority_frames_per_stream: 5,
        max_inbound_window_update_frames_per_data_frame_sent: 1,
      },
    },
  });
  t.after(() => arena[Symbol.asyncDispose]());
  /** Steps in one write, so that none of their answers can leave between them; the PING that asks how it went is one more frame to answer. */
  const isBorne = (...steps: readonly Buffer[]): Promise<boolean> =>
    Http2Attacker.attack(arena.port, async (attacker) => {
      assert.ok(await attacker.isBorne());
      await attacker.send(Buffer.concat(steps));
      return attacker.isBorne();
    });
  const times = (count: number, step: (index: number) => Buffer): Buffer[] =>
    Array.from({ length: count }, (_, index) => step(index));
  const id = (index: number): number => 2 * index + 1;
  const table: readonly [what: string, borne: Buffer[], cutOff: Buffer[]][] = [
    ["control frames", times(9, () => ping), times(11, () => ping)],
    [
      "frames",
      times(19, (index) => request(id(index), "/missing")),
      times(21, (index) => request(id(index), "/missing")),
    ],
    ["empty frames", [post, ...times(3, () => data(1, ""))], [post, ...times(4, () => data(1, ""))]],
    [
      "PRIORITY",
      [post, ...times(10, () => frame(frameType.priority, 0, 1, "\0\0\0\0\0"))],
      [post, ...times(11, () => frame(frameType.priority, 0, 1, "\0\0\0\0\0"))],
    ],
    ["WINDOW_UPDATE", [post, ...times(7, () => windowUpdate(1, 1))], [post, ...times(8, () => windowUpdate(1, 1))]],
  ];
  for (const [what, borne, cutOff] of table) {
    assert.equal(await isBorne(...borne), true, `${what} at the limit`);
    assert.equal(await isBorne(...cutOff), false, `${what} beyond it`);
  }
});
