import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The resource files of the running copy, and the edits that the demo makes in them. Every write is one rename, as editors do it. */
export class BookshopFiles {
  readonly #folder: string;
  #writes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(file: string): Promise<string> {
    return readFile(join(this.#folder, file), "utf8");
  }

  async write(file: string, text: string): Promise<void> {
    // A hidden file is no resource, so that the half-written draft is not read.
    const draft = join(this.#folder, `.draft-${(this.#writes += 1)}`);
    await writeFile(draft, text);
    await rename(draft, join(this.#folder, file));
  }

  remove(file: string): Promise<void> {
    return rm(join(this.#folder, file), { force: true });
  }

  /** Changes a file; throws when there is nothing to change, so that an edit never does nothing. */
  async edit(file: string, change: (text: string) => string): Promise<void> {
    const before = await this.read(file);
    const after = change(before);
    if (after === before) throw new Error(`${file} does not hold what should be changed`);
    await this.write(file, after);
  }

  /** Percent of the reviews that v2 answers. Says whether the file had to be changed. */
  async setReviewsShare(percentOfV2: number): Promise<boolean> {
    const before = await this.read(reviewsFile);
    const shares = [100 - percentOfV2, percentOfV2];
    const after = before.replaceAll(/weight: \d+/g, () => `weight: ${shares.shift() ?? 0}`);
    if (after === before) return false;
    await this.write(reviewsFile, after);
    return true;
  }
}

export const reviewsFile = "mesh/reviews.yaml";
export const authorsFile = "mesh/authors.yaml";
export const booksFile = "mesh/books.yaml";
export const mutualTlsFile = "mesh/mutual-tls.yaml";
