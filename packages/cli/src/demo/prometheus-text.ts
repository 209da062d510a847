/** One sample of the Prometheus text format (version 0.0.4). */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const samplePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const labelPattern = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const escapes: Readonly<Record<string, string>> = { "\\n": "\n", "\\\\": "\\", '\\"': '"' };

/** Samples whose name `wanted` accepts; comments, other samples and what is no sample are passed over. */
export function readSamples(text: string, wanted: (name: string) => boolean): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const match = samplePattern.exec(line);
    if (match === null || !wanted(match[1] as string)) continue;
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(labelPattern)) {
      labels[name as string] = (value as string).replaceAll(/\\./g, (escape) => escapes[escape] ?? escape);
    }
    samples.push({ name: match[1] as string, labels, value: match[3] === "+Inf" ? Infinity : Number(match[3]) });
  }
  return samples;
}
