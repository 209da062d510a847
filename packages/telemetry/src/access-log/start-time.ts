/** Prints a time, given in milliseconds since the epoch. */
export type TimeFormat = (epochMs: number) => string;

const pad = (value: number, width: number): string => String(value).padStart(width, "0");
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** strftime conversions, all in UTC as Envoy prints them; `%f` and `%1f`…`%9f` are Envoy's sub-second digits. */
const conversions: Readonly<Record<string, (time: Date) => string>> = {
  Y: (time) => String(time.getUTCFullYear()),
  y: (time) => pad(time.getUTCFullYear() % 100, 2),
  m: (time) => pad(time.getUTCMonth() + 1, 2),
  d: (time) => pad(time.getUTCDate(), 2),
  e: (time) => String(time.getUTCDate()).padStart(2, " "),
  H: (time) => pad(time.getUTCHours(), 2),
  I: (time) => pad(time.getUTCHours() % 12 || 12, 2),
  M: (time) => pad(time.getUTCMinutes(), 2),
  S: (time) => pad(time.getUTCSeconds(), 2),
  p: (time) => (time.getUTCHours() < 12 ? "AM" : "PM"),
  a: (time) => days[time.getUTCDay()]!.slice(0, 3),
  A: (time) => days[time.getUTCDay()]!,
  b: (time) => months[time.getUTCMonth()]!.slice(0, 3),
  B: (time) => months[time.getUTCMonth()]!,
  F: (time) => time.toISOString().slice(0, 10),
  T: (time) => time.toISOString().slice(11, 19),
  s: (time) => String(Math.floor(time.getTime() / 1000)),
  z: () => "+0000",
  Z: () => "UTC",
  "%": () => "%",
};

/** Envoy's default for `%START_TIME%`: ISO 8601 with milliseconds. */
export const isoTime: TimeFormat = (epochMs) => new Date(epochMs).toISOString();

/** Compiles a strftime format; `undefined` with the conversion that is not supported. */
export function compileTimeFormat(format: string): { format: TimeFormat } | { unsupported: string } {
  const parts: (string | ((time: Date) => string))[] = [];
  const pattern = /%(?:([1-9])?f|(.))|[^%]+|%$/gsu;
  for (const match of format.matchAll(pattern)) {
    const [text, digits, letter] = match;
    if (!text.startsWith("%")) parts.push(text);
    else if (letter === undefined && text !== "%") parts.push(subSecond(Number(digits ?? 9)));
    else if (letter !== undefined && Object.hasOwn(conversions, letter)) parts.push(conversions[letter]!);
    else return { unsupported: text };
  }
  return {
    format: (epochMs) => {
      const time = new Date(epochMs);
      return parts.map((part) => (typeof part === "string" ? part : part(time))).join("");
    },
  };
}

function subSecond(digits: number): (time: Date) => string {
  return (time) => pad(time.getUTCMilliseconds(), 3).padEnd(9, "0").slice(0, digits);
}
