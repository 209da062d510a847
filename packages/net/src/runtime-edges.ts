import type { Server, Socket } from "node:net";
import { Socket as NetSocket } from "node:net";

// The private edges of the runtime that Heddle uses for speed, in one place. Each is looked for when this module loads and tried out on real
// sockets by `selfTestRuntime` (self-test.ts) when a worker starts; what is missing or behaves differently is switched off, and the
// public API, which is slower and correct, takes over.

/** A stream handle of the runtime (TCPWrap, TLSWrap), as far as it is used here. */
export interface StreamHandle {
  reading: boolean;
  /** The descriptor; TLSWrap has that of the connection below it. */
  readonly fd?: number;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  /** Called after each read, with the outcome in `streamBaseState`. */
  onread: OnRead;
  /** With null as request: 0 when everything was written at once, a negative errno, or the request that completes later. */
  writeBuffer(request: null, bytes: Uint8Array): number | WriteRequest;
  /** TLSWrap only: takes ciphertext that was read before the upgrade. */
  receive?(bytes: Uint8Array): void;
  setNoDelay?(on: boolean): number;
  getpeername?(into: HandleAddress): number;
  getsockname?(into: HandleAddress): number;
  close(): void;
  /** Who gets what is read, and what the runtime does at the end and at errors. */
  heddleReader?: Reader;
  heddleRuntimeOnRead?: OnRead;
}

type OnRead = (this: StreamHandle, bytes: ArrayBuffer | undefined) => void;

/** Takes what is read, bytes [start, end), which are valid during the call only. */
export interface Reader {
  takeBytes(bytes: Buffer, start: number, end: number): void;
}

export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  /** Set when the write completed before `oncomplete` could be attached. */
  writeStatus?: number | null;
  /** Keeps the bytes alive, and says whose write it is. */
  buffer?: unknown;
  heddleOwner?: unknown;
}

export interface HandleAddress {
  address?: string;
  port?: number;
}

type ConnectionCallback = (this: unknown, error: number, handle: StreamHandle | undefined) => void;

interface StreamWrapBinding {
  readonly streamBaseState: Int32Array;
  readonly kLastWriteErr: number;
  readonly kReadBytesOrError: number;
}

/** `kernelSend` is send(2), past the runtime: it does not look at the bytes again after it has returned. */
export type RuntimeEdge = "sharedReadBuffer" | "directWrite" | "kernelSend" | "rawAccept" | "originalDestination";

/** Which edges are in use. Process-wide for one thread; only the self-test and tests of the fallbacks change it. */
export const runtimeEdges: Record<RuntimeEdge, boolean> = {
  sharedReadBuffer: false,
  directWrite: false,
  kernelSend: false,
  rawAccept: false,
  originalDestination: false,
};

/**
 * One read buffer for every socket of the thread: a read is handled before the next one happens. Four times what libuv asks for by itself: a bulk
 * transfer then takes a quarter of the calls (measured, CPU per MiB relayed beside Envoy's: 1.33 with 64 KiB, 1.37 with 128, 1.03 with 256).
 * Measured (node 26, wrk, 64 connections, echo): `data` events 7.4 µs, shared buffer 6.7 µs, with direct writes 6.4 µs of CPU per request;
 * over TLS 9.7, 9.3 and 9.1 µs. About 5.3 µs of it is the kernel's.
 */
export const sharedReadBuffer: Buffer = Buffer.allocUnsafeSlow(262_144);

const streamWrap = findStreamWrap();

runtimeEdges.sharedReadBuffer = streamWrap !== undefined;
runtimeEdges.directWrite = streamWrap !== undefined;
runtimeEdges.rawAccept = true;
// Its flags are Linux's.
runtimeEdges.kernelSend = streamWrap !== undefined && process.platform === "linux";
// Linux alone has it. Nothing takes its place: who needs it is told.
runtimeEdges.originalDestination = process.platform === "linux";

/** The handle below a socket. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  return (socket as unknown as { _handle?: StreamHandle | null })._handle ?? undefined;
}

/**
 * Makes a socket read into the shared buffer, past the runtime's own handler, which looks up half a dozen fields of the socket for each read. The end and
 * errors stay its business. The public option `onread` does less, and not for a TLSSocket around an existing socket.
 */
export function readIntoSharedBuffer(socket: Socket, reader: Reader): void {
  const handle = handleOf(socket);
  if (streamWrap === undefined || handle === undefined) throw new Error("the shared read buffer is not available");
  handle.heddleReader = reader;
  handle.heddleRuntimeOnRead ??= handle.onread;
  handle.onread = onRead;
  handle.useUserBuffer(sharedReadBuffer);
}

function onRead(this: StreamHandle, bytes: ArrayBuffer | undefined): void {
  const length = streamWrap === undefined ? 0 : (streamWrap.streamBaseState[streamWrap.kReadBytesOrError] as number);
  if (length > 0) this.heddleReader?.takeBytes(sharedReadBuffer, 0, length);
  else this.heddleRuntimeOnRead?.(bytes);
}

/** Error of the last write that returned a request; 0 when it was accepted. */
export function lastWriteError(): number {
  return streamWrap === undefined ? 0 : (streamWrap.streamBaseState[streamWrap.kLastWriteErr] ?? 0);
}

/**
 * Takes accepted handles before the runtime wraps them, so that their sockets can be created with a shared read buffer and half-open.
 *
 * @returns false when the server has no such hook
 */
export function interceptAccept(server: Server, onHandle: (handle: StreamHandle) => void): boolean {
  const handle = (server as unknown as { _handle?: { onconnection?: ConnectionCallback } | null })._handle;
  if (!runtimeEdges.rawAccept || handle === null || handle === undefined || typeof handle.onconnection !== "function")
    return false;
  const original = handle.onconnection;
  handle.onconnection = function onConnection(error, accepted) {
    if (error !== 0 || accepted === undefined) original.call(this, error, accepted);
    else onHandle(accepted);
  };
  return true;
}

/** A socket around an accepted handle: half-open, not reading yet. */
export function socketAround(handle: StreamHandle): Socket {
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true };
  return new NetSocket(options as unknown as ConstructorParameters<typeof NetSocket>[0]);
}

function findStreamWrap(): StreamWrapBinding | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => Partial<StreamWrapBinding> };
  try {
    const found = binding?.call(process, "stream_wrap");
    if (!(found?.streamBaseState instanceof Int32Array)) return undefined;
    const { streamBaseState, kLastWriteErr, kReadBytesOrError } = found;
    if (typeof kLastWriteErr !== "number" || typeof kReadBytesOrError !== "number") return undefined;
    return { streamBaseState, kLastWriteErr, kReadBytesOrError };
  } catch {
    // process.binding is deprecated: when it is gone, reads and writes go through the public API.
    return undefined;
  }
}
