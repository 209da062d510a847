// Three-valued logic (Kleene's) for policies: a condition whose input cannot be read is neither true nor false, and a
// policy that hangs on it denies. Numbers, so that the hot path compares integers.

export const NO = 0;
export const YES = 1;
/** The input cannot be judged: bytes that are not UTF-8 under a regex, an address that is none. */
export const UNREADABLE = 2;
export type Verdict = typeof NO | typeof YES | typeof UNREADABLE;

export function not(verdict: Verdict): Verdict {
  return verdict === YES ? NO : verdict === NO ? YES : UNREADABLE;
}

export function verdictOf(value: boolean): Verdict {
  return value ? YES : NO;
}

/** Every condition; YES for none. */
export function allOf<T>(conditions: readonly ((subject: T) => Verdict)[]): (subject: T) => Verdict {
  const only = conditions[0];
  if (conditions.length === 1 && only !== undefined) return only;
  return (subject) => {
    let result: Verdict = YES;
    for (let i = 0; i < conditions.length; i++) {
      const verdict = (conditions[i] as (subject: T) => Verdict)(subject);
      if (verdict === NO) return NO;
      if (verdict === UNREADABLE) result = UNREADABLE;
    }
    return result;
  };
}

/** Any condition; NO for none. */
export function anyOf<T>(conditions: readonly ((subject: T) => Verdict)[]): (subject: T) => Verdict {
  const only = conditions[0];
  if (conditions.length === 1 && only !== undefined) return only;
  return (subject) => {
    let result: Verdict = NO;
    for (let i = 0; i < conditions.length; i++) {
      const verdict = (conditions[i] as (subject: T) => Verdict)(subject);
      if (verdict === YES) return YES;
      if (verdict === UNREADABLE) result = UNREADABLE;
    }
    return result;
  };
}
