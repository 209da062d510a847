import type { HpackField } from "./field.ts";

/** The dynamic table (RFC 7541 §2.3.2): a ring of fields, the newest at offset 0, evicted from the oldest on. */
export class DynamicTable {
  #ring: (HpackField | undefined)[] = new Array<HpackField | undefined>(16);
  #inserted = 0;
  #count = 0;
  #bytes = 0;
  #maxBytes: number;
  readonly #onEvict: ((field: HpackField, serial: number) => void) | undefined;

  /** @param onEvict hears of each field that leaves, with the serial number that `insert` gave it */
  constructor(maxBytes: number, onEvict?: (field: HpackField, serial: number) => void) {
    this.#maxBytes = maxBytes;
    this.#onEvict = onEvict;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** Octets by the measure of RFC 7541 §4.1. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Fields inserted since the beginning; the newest has this serial number less one. */
  get inserted(): number {
    return this.#inserted;
  }

  /** @returns undefined beyond the oldest */
  at(offset: number): HpackField | undefined {
    if (offset >= this.#count) return undefined;
    return this.#ring[(this.#inserted - 1 - offset) & (this.#ring.length - 1)];
  }

  /** @returns the serial number, or -1 when the field is larger than the table, which then is empty (RFC 7541 §4.4) */
  insert(field: HpackField): number {
    this.#evictTo(this.#maxBytes - field.size);
    if (field.size > this.#maxBytes) return -1;
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[this.#inserted & (this.#ring.length - 1)] = field;
    this.#count += 1;
    this.#bytes += field.size;
    this.#inserted += 1;
    return this.#inserted - 1;
  }

  /** RFC 7541 §4.3. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.#count > 0) {
      const serial = this.#inserted - this.#count;
      const at = serial & (this.#ring.length - 1);
      const field = this.#ring[at] as HpackField;
      this.#ring[at] = undefined;
      this.#bytes -= field.size;
      this.#count -= 1;
      this.#onEvict?.(field, serial);
    }
  }

  #grow(): void {
    const old = this.#ring;
    const ring = new Array<HpackField | undefined>(old.length * 2);
    for (let serial = this.#inserted - this.#count; serial < this.#inserted; serial += 1) {
      ring[serial & (ring.length - 1)] = old[serial & (old.length - 1)];
    }
    this.#ring = ring;
  }
}
