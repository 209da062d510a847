import type { TestContext } from "node:test";

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/** Runs `action` when the test is over. What was begun last ends first: a process, before the folder that it writes to is removed. */
export function atEnd(test: TestContext, action: () => unknown): void {
  let stack = stacks.get(test);
  if (stack === undefined) {
    const made = new AsyncDisposableStack();
    stack = made;
    stacks.set(test, made);
    test.after(() => made.disposeAsync());
  }
  stack.defer(async () => void (await action()));
}
