import type { OutputStream } from "../output/terminal.ts";
import type { MeshOutput } from "../up/mesh-output.ts";

/** The last lines of a terminal, drawn over in place; what else is printed goes above them. */
export class LiveArea {
  readonly #stream: OutputStream;
  #lines = 0;

  constructor(stream: OutputStream, output: MeshOutput) {
    this.#stream = stream;
    output.onBeforeWrite = () => this.#clear();
  }

  draw(text: string): void {
    this.#clear();
    this.#stream.write(text);
    this.#lines = text.split("\n").length - 1;
  }

  #clear(): void {
    // Up so many lines, to the first column, and all below away (ECMA-48 CPL, ED).
    if (this.#lines > 0) this.#stream.write(`\u001b[${this.#lines}F\u001b[J`);
    this.#lines = 0;
  }
}
