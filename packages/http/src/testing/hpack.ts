import { ByteWriter } from "../byte-writer.ts";
import type { HpackError, HpackLimits } from "../hpack/decoder.ts";
import type { HpackDecoder } from "../hpack/decoder.ts";
import type { HpackEncoder } from "../hpack/encoder.ts";

export const noLimits: HpackLimits = { maxListBytes: 1 << 24, maxFields: 1 << 16 };

export type Fields = readonly (readonly [name: string, value: string])[];

export interface DecodedBlock {
  fields: [name: string, value: string][];
  neverIndexed: string[];
  error: HpackError | "";
}

/** Decodes one block as it stands in a larger buffer. */
export function decodeBlock(decoder: HpackDecoder, block: Buffer | string): DecodedBlock {
  const bytes = typeof block === "string" ? Buffer.from(block.replaceAll(/\s/g, ""), "hex") : block;
  const surrounded = Buffer.concat([Buffer.from([0x82]), bytes, Buffer.from([0x82])]);
  const decoded: DecodedBlock = { fields: [], neverIndexed: [], error: "" };
  decoded.error = decoder.decode(surrounded, 1, 1 + bytes.length, {
    onField: ({ name, value }, isNeverIndexed) => {
      decoded.fields.push([name, value]);
      if (isNeverIndexed) decoded.neverIndexed.push(name);
    },
  });
  return decoded;
}

export function encodeBlock(encoder: HpackEncoder, fields: Fields): Buffer {
  const writer = new ByteWriter();
  encoder.begin(writer);
  for (const [name, value] of fields) encoder.field(writer, name, value);
  return writer.take();
}
