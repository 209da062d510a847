// A worker thread that is alive and does nothing: what a traffic worker in an endless loop looks like from outside.
for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
