/** What Node adds below an error that nobody caught. */
const epilogue = /^(Node\.js v\d|\(Use `node )/;
/** Stack frames, fields of an error, marks under a line of source, brackets. */
const detail = /^(\s|[\^{}[\]]+$)/;
/** `Error: …`, `TypeError [ERR_X]: …`, `ModuleNotFoundError: …`, `Exception in thread …`, `panic: …` */
const errorName = /^(Uncaught )?([\w.$]*(Error|Exception)\b|panic:)/;

/** Of what a process wrote, the line that most likely says why it ended. */
export class LastWords {
  #text = "";
  /** The lines right below an error's first belong to its message. */
  #isInError = false;

  get text(): string {
    return this.#text;
  }

  hear(line: string): void {
    if (line.trim() === "" || detail.test(line) || epilogue.test(line)) {
      this.#isInError = false;
      return;
    }
    const isError = errorName.test(line);
    if (isError || !this.#isInError) this.#text = line;
    this.#isInError ||= isError;
  }
}
