/** What the thread that fuzzes is told. */
export interface FuzzOrder {
  readonly file: string;
  readonly corpus: readonly Uint8Array[];
  readonly seed: number;
  readonly endsAtMs: number;
  /** Inputs at most. */
  readonly maxInputs: number;
  /** The input at hand, so that what hangs or kills the thread can be told: its length, a count of inputs, then its octets. */
  readonly current: SharedArrayBuffer;
}

/** What it says. */
export type FuzzReport =
  | { readonly type: "progress"; readonly inputs: number; readonly blocks: number; readonly corpus: number }
  | { readonly type: "found"; readonly input: Uint8Array }
  | { readonly type: "crash"; readonly input: Uint8Array; readonly error: string }
  | { readonly type: "done"; readonly inputs: number; readonly blocks: number; readonly corpus: number };

export const currentBytes: number = 8 + 4096;
