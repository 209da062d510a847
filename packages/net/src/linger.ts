import { integers, libc } from "./libc.ts";

/** SOL_SOCKET and SO_LINGER by system. */
const numbersOf: Partial<Record<NodeJS.Platform, readonly [level: number, name: number]>> = {
  linux: [1, 13],
  darwin: [0xffff, 0x80],
};

/** Makes the next close(2) of a descriptor drop the connection with RST (socket(7), SO_LINGER of zero seconds). @returns whether it was set */
export function lingerNone(descriptor: number): boolean {
  const numbers = numbersOf[process.platform];
  if (numbers === undefined || descriptor < 0) return false;
  const value = integers(1, 0);
  return libc()?.setsockopt(descriptor, ...numbers, value, value.length) === 0;
}
