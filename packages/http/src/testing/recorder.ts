import type { HeaderList } from "../header-list.ts";
import type { Http1Limits } from "../http1/limits.ts";
import { defaultHttp1Limits } from "../http1/limits.ts";
import type { RequestHead } from "../http1/request-decoder.ts";
import { Http1RequestDecoder } from "../http1/request-decoder.ts";
import type { ResponseHead } from "../http1/response-decoder.ts";
import { Http1ResponseDecoder } from "../http1/response-decoder.ts";
import type { Rule } from "../http1/violation.ts";

type Pairs = [name: string, value: string][];

export interface DecodedRequest {
  head: Omit<RequestHead, "headers"> & { headers: Pairs };
  body: string;
  trailers: Pairs;
  isComplete: boolean;
}

export interface DecodedResponse {
  informational: number[];
  head?: Omit<ResponseHead, "headers"> & { headers: Pairs };
  body: string;
  trailers: Pairs;
  isComplete: boolean;
}

export const testLimits: Http1Limits = { ...defaultHttp1Limits, acceptHttp10: true, enableTrailers: true };

/** Cuts `bytes` at the given positions and copies each piece between bytes that belong to no message. */
export function* pieces(
  bytes: Buffer,
  cuts: readonly number[],
): Generator<[bytes: Buffer, start: number, end: number]> {
  const positions = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  for (let i = 1; i < positions.length; i += 1) {
    const piece = bytes.subarray(positions[i - 1], positions[i]);
    // What lies around a piece in a reused buffer must never matter; line ends are the likeliest to be misread.
    yield [Buffer.concat([Buffer.from("\r\n"), piece, Buffer.from("\r\n\r\n")]), 2, 2 + piece.length];
  }
}

const everyByte = (bytes: Buffer): number[] => Array.from({ length: bytes.length }, (_, i) => i);

export function cutEveryByte(text: string | Buffer): number[] {
  return everyByte(Buffer.from(text));
}

export interface RequestRun {
  requests: DecodedRequest[];
  violation: Rule | "";
  status: number;
  decoder: Http1RequestDecoder;
}

/** Decodes a whole connection's input, pipelined requests included. */
export function decodeRequests(
  input: string | Buffer,
  cuts: readonly number[] = [],
  limits: Http1Limits = testLimits,
  isFinished: boolean = false,
): RequestRun {
  const requests: DecodedRequest[] = [];
  const last = (): DecodedRequest => requests.at(-1) as DecodedRequest;
  const run: RequestRun = { requests, violation: "", status: 0, decoder: undefined as unknown as Http1RequestDecoder };
  run.decoder = new Http1RequestDecoder(limits, {
    onHead: (head) =>
      requests.push({ head: { ...head, headers: head.headers.toPairs() }, body: "", trailers: [], isComplete: false }),
    onData: (bytes, start, end) => {
      last().body += bytes.toString("latin1", start, end);
    },
    onTrailers: (trailers: HeaderList) => {
      last().trailers = trailers.toPairs();
    },
    onEnd: () => {
      last().isComplete = true;
    },
    onError: (violation) => {
      run.violation = violation.rule;
      run.status = violation.status;
    },
  });
  const bytes = typeof input === "string" ? Buffer.from(input, "latin1") : input;
  for (const [piece, start, end] of pieces(bytes, cuts)) {
    for (let position = start; position < end; ) {
      const consumed = run.decoder.push(piece, position, end);
      position += consumed;
      if (position < end) run.decoder.next();
    }
    run.decoder.next();
  }
  if (isFinished) run.decoder.finish();
  return run;
}

export interface ResponseRun {
  responses: DecodedResponse[];
  violation: Rule | "";
  code: string;
  decoder: Http1ResponseDecoder;
}

/** Decodes the response to a request with `method`. */
export function decodeResponse(
  input: string | Buffer,
  options: {
    method?: string;
    isUpgrade?: boolean;
    cuts?: readonly number[];
    limits?: Http1Limits;
    isFinished?: boolean;
  } = {},
): ResponseRun {
  const response: DecodedResponse = { informational: [], body: "", trailers: [], isComplete: false };
  const run: ResponseRun = {
    responses: [response],
    violation: "",
    code: "",
    decoder: undefined as unknown as Http1ResponseDecoder,
  };
  run.decoder = new Http1ResponseDecoder(options.limits ?? testLimits, {
    onInformational: (head) => response.informational.push(head.status),
    onHead: (head) => {
      response.head = { ...head, headers: head.headers.toPairs() };
    },
    onData: (bytes, start, end) => {
      response.body += bytes.toString("latin1", start, end);
    },
    onTrailers: (trailers: HeaderList) => {
      response.trailers = trailers.toPairs();
    },
    onEnd: () => {
      response.isComplete = true;
    },
    onError: (violation) => {
      run.violation = violation.rule;
      run.code = violation.code;
    },
  });
  run.decoder.expect(options.method ?? "GET", options.isUpgrade ?? false);
  const bytes = typeof input === "string" ? Buffer.from(input, "latin1") : input;
  for (const [piece, start, end] of pieces(bytes, options.cuts ?? [])) run.decoder.push(piece, start, end);
  if (options.isFinished === true) run.decoder.finish();
  return run;
}
