import type { StreamName } from "../local-mesh/process-output.ts";
import { formatFinding } from "../output/findings.ts";
import type { OutputStream, Paint, Style } from "../output/terminal.ts";
import { paintFor } from "../output/terminal.ts";
import type { ControlPlaneLine } from "./control-plane-line.ts";
import { readControlPlaneLine } from "./control-plane-line.ts";
import type { LogFiles } from "./log-files.ts";

const palette: readonly Style[] = ["cyan", "green", "magenta", "blue", "yellow"];
/** Behind this a long name pushes its own lines only. */
const maxPrefix = 24;

export interface MeshOutputOptions {
  readonly stream: OutputStream;
  readonly isVerbose: boolean;
  /** Whether what applications write is shown. */
  readonly showsApplications: boolean;
  /** Whether edits and their fate, restarts and troubles are shown; default true. */
  readonly showsMesh?: boolean;
  /** Everything goes there, shown or not. */
  readonly logs: Pick<LogFiles, "write">;
}

/**
 * What a person sees of a running mesh: the applications' own lines, what became of each edit, and what goes wrong. Access logs and the
 * proxies' chatter are for the log files, or for `--verbose`.
 */
export class MeshOutput {
  readonly #options: MeshOutputOptions;
  readonly #paint: Paint;
  readonly #styles = new Map<string, Style>();
  /** What each proxy said last, without what is another at each try. */
  readonly #said = new Map<string, string>();
  #width = "control-plane".length;
  /** Called before each write, so that something drawn in place can make room. */
  onBeforeWrite: (() => void) | undefined;

  constructor(options: MeshOutputOptions) {
    this.#options = options;
    this.#paint = paintFor(options.stream);
  }

  get paint(): Paint {
    return this.#paint;
  }

  /** A line of a process. Bound, so that it can be handed on. */
  readonly line = (source: string, text: string, stream: StreamName, isRepetition = false): void => {
    const { logs, isVerbose, showsApplications } = this.#options;
    logs.write(source, text);
    if (this.#isHidden(isRepetition)) return;
    if (source === "control-plane" && stream === "stdout") this.#controlPlane(readControlPlaneLine(text), text);
    else if (source.endsWith("/proxy")) {
      if (stream === "stderr" && this.#saysAgain(source, text) && !isVerbose) return;
      if (isVerbose || isTrouble(text, stream)) this.#print(source, text);
    } else if (isVerbose || showsApplications || source === "control-plane") this.#print(source, text);
  };

  /** What the runner has to say about a process. */
  readonly report = (source: string, text: string, isRepetition = false): void => {
    this.#options.logs.write(source, text);
    if (!this.#isHidden(isRepetition)) this.#print(source, this.#paint("yellow", text));
  };

  /** Changes that hold from now on. */
  inForce(changed: readonly string[]): void {
    this.#write(`${this.#paint("green", "√ in force")} ${describeChange(changed)}\n`);
  }

  /** A line that belongs to no process. */
  notice(text: string): void {
    this.#write(`${text}\n`);
  }

  #isHidden(isRepetition: boolean): boolean {
    const { showsMesh, isVerbose } = this.#options;
    return showsMesh === false || (isRepetition && !isVerbose);
  }

  /** A proxy without its control plane says so at each of its tries, ten of them a second in a mesh. */
  #saysAgain(source: string, text: string): boolean {
    const message = /^\d{4}-\S+Z (.*)/.exec(text)?.[1]?.replaceAll(changingFields, "");
    const before = this.#said.get(source);
    this.#said.set(source, message ?? "");
    return message !== undefined && message === before;
  }

  #controlPlane(line: ControlPlaneLine, text: string): void {
    const { isVerbose } = this.#options;
    const paint = this.#paint;
    if (isVerbose) this.#print("control-plane", text);
    switch (line.kind) {
      case "rejected":
      case "warned": {
        if (line.code === noMeshCode) return;
        const severity = line.kind === "rejected" ? "error" : "warning";
        const mark = line.kind === "rejected" ? paint(["red", "bold"], "× refused") : paint("yellow", "! noted");
        this.#write(
          `${mark} ${formatFinding({ severity, code: line.code, message: line.message, hint: line.hint, file: line.place }, paint)}`,
        );
        return;
      }
      case "mended":
        this.#write(`${paint("green", "√ mended")} ${line.resource} has no error any more\n`);
        return;
      case "accepted":
        if (line.changed.length === 0) this.inForce([`${line.resources} resources, as they were before the start`]);
        else if (!line.changed.every(isForRunner)) this.inForce(line.changed.filter((change) => !isForRunner(change)));
        return;
      case "problem":
        if (!isVerbose) this.#print("control-plane", paint(line.level === "error" ? "red" : "yellow", line.message));
        return;
      case "other":
        return;
    }
  }

  #print(source: string, text: string): void {
    this.#width = Math.min(maxPrefix, Math.max(this.#width, source.length));
    this.#write(`${this.#paint(this.#styleOf(source), source.padEnd(this.#width))} │ ${text}\n`);
  }

  #write(text: string): void {
    this.onBeforeWrite?.();
    this.#options.stream.write(text);
  }

  /** A replica and its proxy have one colour. */
  #styleOf(source: string): Style {
    const name = source.split("/")[0] ?? source;
    let style = this.#styles.get(name);
    if (style === undefined) {
      style = palette[this.#styles.size % palette.length] ?? "cyan";
      this.#styles.set(name, style);
    }
    return style;
  }
}

/** A line of a proxy's own log at warn or above, or something that is no log line at all, such as a crash of the runtime. */
function isTrouble(text: string, stream: StreamName): boolean {
  if (stream === "stdout") return false;
  const level = /^\d{4}-\S+Z (\w+)/.exec(text)?.[1];
  return level !== "debug" && level !== "info";
}

/** Of a line of a proxy's log: how the same trouble came about this time, and when it is tried again. */
const changingFields = / (reason|retryInMs)=("([^"\\]|\\.)*"|\S+)/g;

/** The folder has lost its LocalMesh: `heddle up` itself says so, and what that means for what runs. */
const noMeshCode = "HDL0108";

/** The control plane has accepted it, but whether it holds is the runner's word: it starts and stops what the LocalMesh names. */
function isForRunner(change: string): boolean {
  return /^[+~-] LocalMesh /.test(change);
}

const listedChanges = 4;

function describeChange(changed: readonly string[]): string {
  const shown = changed.slice(0, listedChanges).join(", ");
  return changed.length > listedChanges ? `${shown} and ${changed.length - listedChanges} more` : shown;
}
