/**
 * Time as the pure packages see it. The real clock lives in the shells (`proxy`, `control-plane`, `cli`); tests bring one
 * that they move by hand.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump when the host's clock is set. For certificates, logs and ages. */
  wallMs(): number;
  /** Fractional milliseconds from an arbitrary origin; never goes back. For durations and time-outs. */
  monotonicMs(): number;
}

/** A number in [0, 1). Pure code takes one instead of calling Math.random, so that a seed replays every decision. */
export type RandomSource = () => number;
