import { existsSync, readFileSync } from "node:fs";
import { hasTitle, testTitles } from "./test-titles.ts";
import type { TitlePath } from "./test-titles.ts";

const testFile = /^[\w./-]+[.]test[.]ts$/;

/** Judges claims of the form `file.test.ts › whole title`, or `file.test.ts › suite › title`. */
export class TestProofs {
  readonly #read: (file: string) => string | undefined;
  readonly #titles = new Map<string, readonly TitlePath[] | undefined>();

  /** @param read gives a file's text, undefined when it does not exist */
  constructor(read: (file: string) => string | undefined) {
    this.#read = read;
  }

  /** Claims whose files are named from a folder on. */
  static below(folder: URL): TestProofs {
    return new TestProofs((file) => {
      const url = new URL(file, folder);
      return existsSync(url) ? readFileSync(url, "utf8") : undefined;
    });
  }

  /** @returns what is wrong with the claim, undefined when the test is there; whether it passes is the test run's matter */
  problem(proof: string): string | undefined {
    const [file = "", ...named] = proof.split(" › ");
    if (!testFile.test(file) || named.length === 0) return `"${proof}" is not \`file.test.ts › title\``;
    if (!this.#titles.has(file)) {
      const source = this.#read(file);
      this.#titles.set(file, source === undefined ? undefined : testTitles(source));
    }
    const titles = this.#titles.get(file);
    if (titles === undefined) return `${file} does not exist`;
    return hasTitle(titles, named) ? undefined : `${file} has no test "${named.join(" › ")}"`;
  }
}
