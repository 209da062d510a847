import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { dnsType } from "@heddle/http";
import type { SocketAddress } from "@heddle/net";

export interface Answer {
  readonly code: number;
  readonly addresses: readonly string[];
  readonly ttl: number | undefined;
  readonly isTruncated: boolean;
  readonly isAuthoritative: boolean;
}

/** A question of class IN that wants recursion. */
export function question(name: string, type: number, id = 7): Buffer {
  const labels = name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(type, 1);
  tail.writeUInt16BE(1, 3);
  return Buffer.concat([Buffer.from([0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, tail]);
}

/** @param asked the question, which the reply repeats */
export function readAnswer(reply: Buffer, asked: Buffer): Answer {
  assert.equal(reply.readUInt16BE(0), asked.readUInt16BE(0));
  const flags = reply.readUInt16BE(2);
  const addresses: string[] = [];
  let at = asked.length;
  let ttl: number | undefined;
  for (let left = reply.readUInt16BE(6); left > 0; left--) {
    ttl = reply.readUInt32BE(at + 6);
    const length = reply.readUInt16BE(at + 10);
    const bytes = reply.subarray(at + 12, at + 12 + length);
    addresses.push(length === 4 ? bytes.join(".") : bytes.toString("hex"));
    at += 12 + length;
  }
  return {
    code: flags & 0xf,
    addresses,
    ttl,
    isTruncated: (flags & 0x0200) !== 0,
    isAuthoritative: (flags & 0x0400) !== 0,
  };
}

/** Asks from a port of its own. */
export async function askUdp({ host, port }: SocketAddress, name: string, type: number = dnsType.a): Promise<Answer> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  try {
    const asked = question(name, type);
    socket.send(asked, port, host);
    const [reply] = (await once(socket, "message")) as [Buffer];
    return readAnswer(reply, asked);
  } finally {
    socket.close();
  }
}
