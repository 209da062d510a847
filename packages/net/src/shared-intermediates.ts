import type { Certificate } from "./certificate.ts";
import { parseCertificate } from "./certificate.ts";
import type { IntermediatePool } from "./trust-anchors.ts";

/** Of each worker: some fifty intermediates, where a mesh has a handful. */
const segmentBytes = 65_536;
const lengthBytes = 4;

/**
 * Intermediates of chains that any worker of the process has verified, so that a session of one is resumed at the others: see {@link KnownIntermediates}.
 * Each worker writes a segment of its own, and all read all of them. What is known is known before the ticket leaves, as a peer is judged within the
 * call that ends its handshake. One whose segment is full begins it anew under another {@link generation}, and no ticket of before may be taken.
 */
export class SharedIntermediates implements IntermediatePool {
  readonly #worker: number;
  readonly #workers: number;
  /** The generation, then the bytes in use of each segment. */
  readonly #header: Int32Array;
  readonly #bytes: Buffer;
  readonly #bySubject = new Map<string, Certificate[]>();
  /** Read so far of each segment. */
  readonly #read: number[];
  #generation = 0;

  static createBuffer(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer(headerBytes(workers) + workers * segmentBytes);
  }

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#worker = worker;
    this.#workers = (buffer.byteLength - lengthBytes) / (segmentBytes + lengthBytes);
    this.#header = new Int32Array(buffer, 0, this.#workers + 1);
    this.#bytes = Buffer.from(buffer, headerBytes(this.#workers));
    this.#read = Array.from({ length: this.#workers }, () => 0);
  }

  /** Sessions of another one may rest on intermediates that are forgotten. */
  get generation(): number {
    return Atomics.load(this.#header, 0);
  }

  bySubject(subjectKey: string): readonly Certificate[] {
    this.#readOn();
    return this.#bySubject.get(subjectKey) ?? [];
  }

  add(certificate: Certificate): void {
    const { der } = certificate;
    if (this.bySubject(certificate.subjectKey).some((known) => known.der.equals(der))) return;
    const wanted = lengthBytes + der.length;
    if (wanted > segmentBytes) return;
    let used = Atomics.load(this.#header, 1 + this.#worker);
    if (used + wanted > segmentBytes) {
      used = 0;
      Atomics.store(this.#header, 1 + this.#worker, 0);
      Atomics.add(this.#header, 0, 1);
    }
    const at = this.#worker * segmentBytes + used;
    this.#bytes.writeUInt32BE(der.length, at);
    der.copy(this.#bytes, at + lengthBytes);
    // Only now others may look.
    Atomics.store(this.#header, 1 + this.#worker, used + wanted);
    this.#readOn();
  }

  #readOn(): void {
    const { generation } = this;
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#bySubject.clear();
      this.#read.fill(0);
    }
    for (let worker = 0; worker < this.#workers; worker += 1) this.#readSegment(worker);
  }

  #readSegment(worker: number): void {
    const first = worker * segmentBytes;
    const end = Atomics.load(this.#header, 1 + worker);
    while (this.#read[worker]! < end) {
      const at = first + this.#read[worker]! + lengthBytes;
      const length = this.#bytes.readUInt32BE(at - lengthBytes);
      this.#read[worker]! += lengthBytes + length;
      if (at + length > first + end) return;
      // A copy: what is begun anew is written over.
      const certificate = parseCertificate(Buffer.from(this.#bytes.subarray(at, at + length)));
      if (certificate === undefined) continue;
      const sameName = this.#bySubject.get(certificate.subjectKey);
      if (sameName === undefined) this.#bySubject.set(certificate.subjectKey, [certificate]);
      else sameName.push(certificate);
    }
  }
}

function headerBytes(workers: number): number {
  return (workers + 1) * lengthBytes;
}
