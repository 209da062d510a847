import type { TapDirection, TapMatch } from "./config.ts";

/** A request as a tap judges it. */
export interface TapSubject {
  readonly method: string;
  /** As the client sent it, with its query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: { getAll(name: string): readonly string[] };
  /** Empty: none is known. */
  readonly sourceIdentity: string;
  readonly destinationIdentity: string;
  readonly direction: TapDirection;
}

export function matchesTap(match: TapMatch, subject: TapSubject): boolean {
  if (match.direction !== undefined && match.direction !== subject.direction) return false;
  if (match.method !== undefined && match.method !== subject.method) return false;
  if (match.path !== undefined && !matchesPath(match.path, subject.path)) return false;
  if (match.authority !== undefined && match.authority !== subject.authority.toLowerCase()) return false;
  if (match.scheme !== undefined && match.scheme !== subject.scheme) return false;
  if (match.sourceIdentity !== undefined && match.sourceIdentity !== subject.sourceIdentity) return false;
  if (match.destinationIdentity !== undefined && match.destinationIdentity !== subject.destinationIdentity)
    return false;
  return match.headers.every(({ name, exact }) => {
    const values = subject.headers.getAll(name);
    return exact === undefined ? values.length > 0 : values.includes(exact);
  });
}

function matchesPath(match: NonNullable<TapMatch["path"]>, path: string): boolean {
  if ("prefix" in match) return path.startsWith(match.prefix);
  const query = path.indexOf("?");
  return (query < 0 ? path : path.slice(0, query)) === match.exact;
}
