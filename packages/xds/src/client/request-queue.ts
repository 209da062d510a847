/** What is to be sent on one stream, as the async iterable that the transport reads. One reader. */
export class RequestQueue<T> implements AsyncIterable<T> {
  #items: T[] = [];
  #isClosed = false;
  #wake: (() => void) | undefined;

  push(item: T): void {
    if (this.#isClosed) return;
    this.#items.push(item);
    this.#notify();
  }

  close(): void {
    this.#isClosed = true;
    this.#items = [];
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    while (!this.#isClosed) {
      const item = this.#items.shift();
      if (item === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        yield item;
      }
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
