import { type Message, resourceSchemas, type ResourceType, toBinary } from "@heddle/xds/api";

/**
 * 128-bit hash of a resource's wire form, 32 hexadecimal digits: the same content gives the same version in every process, so a
 * restarted control plane does not push what proxies already hold.
 *
 * Map entries count in the order in which they were put; the compiler always puts them in the order of their keys.
 */
export function contentHash(message: Message): string {
  const schema = resourceSchemas[`type.googleapis.com/${message.$typeName}` as ResourceType];
  if (schema === undefined) throw new TypeError(`${message.$typeName} is not a resource that travels over ADS`);
  return hashBytes(toBinary<typeof schema>(schema, message as never), 0);
}

/**
 * MurmurHash3, the x86 variant with 128 bits of output (Austin Appleby, public domain). Not keyed: two resources are only ever
 * compared with resources of the same mesh, whose author gains nothing from a collision with his own configuration.
 */
export function hashBytes(bytes: Uint8Array, seed: number): string {
  const c1 = 0x239b961b;
  const c2 = 0xab0e9789;
  const c3 = 0x38b34ae5;
  const c4 = 0xa1e38b93;
  let h1 = seed | 0;
  let h2 = seed | 0;
  let h3 = seed | 0;
  let h4 = seed | 0;

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.byteLength;
  const tail = length & ~15;
  for (let at = 0; at < tail; at += 16) {
    h1 ^= Math.imul(rotate(Math.imul(view.getInt32(at, true), c1), 15), c2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(view.getInt32(at + 4, true), c2), 16), c3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(view.getInt32(at + 8, true), c3), 17), c4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(view.getInt32(at + 12, true), c4), 18), c1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }

  // The last 0 to 15 bytes, as four little-endian words padded with zeros; a word of zeros leaves its lane alone.
  h4 ^= Math.imul(rotate(Math.imul(wordAt(bytes, tail + 12), c4), 18), c1);
  h3 ^= Math.imul(rotate(Math.imul(wordAt(bytes, tail + 8), c3), 17), c4);
  h2 ^= Math.imul(rotate(Math.imul(wordAt(bytes, tail + 4), c2), 16), c3);
  h1 ^= Math.imul(rotate(Math.imul(wordAt(bytes, tail), c1), 15), c2);

  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h3 = avalanche(h3);
  h4 = avalanche(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  return hex(h1) + hex(h2) + hex(h3) + hex(h4);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function avalanche(word: number): number {
  let h = word;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
