import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeStateFile } from "@heddle/state";
import { LISTENER_TYPE, ROUTE_TYPE } from "@heddle/xds/api";
import { readRunFile, writeRunFile } from "./run-file.ts";
import { identityOf, meshFile, timeoutFile } from "./testing/mesh-files.ts";
import { TestControlPlane } from "./testing/test-control-plane.ts";
import type { TestProxy } from "./testing/test-proxy.ts";

function hasTimeout(seconds: number): (proxy: TestProxy) => boolean {
  return (proxy) => proxy.text(ROUTE_TYPE).includes(`"seconds":"${seconds}"`);
}

test("a run is found by its run file, which only its owner may read, and leaves none behind", async (t) => {
  const plane = await TestControlPlane.start(t);
  const found = await readRunFile(plane.stateDir);
  assert.ok(found.kind === "found");
  const { pid, adminAddress, xdsAddress, token, formatVersion } = found.run;
  assert.deepEqual(
    { pid, adminAddress, xdsAddress, formatVersion },
    { pid: process.pid, adminAddress: plane.adminAddress, xdsAddress: plane.xdsAddress, formatVersion: 1 },
  );
  assert.ok(token.length >= 43, "256 bits");
  assert.equal((await stat(found.path)).mode & 0o777, 0o600);
  assert.equal((await stat(plane.stateDir)).mode & 0o777, 0o700);
  await plane.halt();
  assert.deepEqual(await readRunFile(plane.stateDir), { kind: "absent" });
});

test("the run file of another process is not removed", async (t) => {
  const plane = await TestControlPlane.start(t);
  const found = await readRunFile(plane.stateDir);
  assert.ok(found.kind === "found");
  await writeRunFile(plane.stateDir, { ...found.run, pid: 1 });
  await plane.halt();
  assert.equal((await readRunFile(plane.stateDir)).kind, "found");
});

test("a second control plane over the same state is refused, and one that was killed is no obstacle", async (t) => {
  const plane = await TestControlPlane.start(t);
  const found = await readRunFile(plane.stateDir);
  assert.ok(found.kind === "found");
  await assert.rejects(
    plane.start(),
    /another control plane \(process \d+\) runs with the state folder .*: end it first/,
  );
  await plane.halt();
  await writeRunFile(plane.stateDir, found.run);
  await plane.start();
});

test("an unfinished handshake and an idle connection do not hold up the end", async (t) => {
  const plane = await TestControlPlane.start(t);
  const sockets = await Promise.all(
    [plane.xdsAddress, plane.adminAddress].map(async (address) => {
      const [host = "", port] = address.split(":");
      const socket = connect(Number(port), host);
      await once(socket, "connect");
      return socket;
    }),
  );
  const ends = sockets.map((socket) => {
    socket.on("error", () => {
      // A reset is an end, too.
    });
    return once(socket, "close");
  });
  // The admin connection is in the middle of a request.
  sockets[1]?.write("GET /api/v1/health HTTP/1.1\r\n");
  await plane.halt();
  await Promise.all(ends);
  assert.doesNotMatch(plane.logger.text, /TIMEOUT|timed out/i);
});

test("after a restart it listens at the same port, and proxies come back by themselves", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const address = plane.xdsAddress;
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  await plane.halt();
  await web.until("the loss", ({ state }) => state.connectedState === 0);
  assert.ok(hasTimeout(3)(web), "what it has stays");
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await plane.start();
  assert.equal(plane.xdsAddress, address);
  await web.until("4 s", hasTimeout(4));
});

test("what was accepted is in force after a restart with broken files", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  await plane.halt();
  await plane.write("reviews.yaml", timeoutFile("soon"));
  await plane.start();
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  assert.match(
    plane.logger.text,
    /"VirtualService default\/reviews","message":"The version accepted before stays in force/,
  );
});

test("after a restart with the same files it says what is in force", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const accepted = (): Record<string, unknown>[] =>
    plane.logger.lines.flatMap(({ message, fields }) => (message === "configuration accepted" ? [fields] : []));
  await plane.logger.until(/configuration accepted/);
  await plane.halt();
  const before = accepted().length;
  await plane.start();
  await (await plane.proxy("web-0")).until("3 s", hasTimeout(3));
  const [again, ...more] = accepted().slice(before);
  assert.deepEqual([again?.["changed"], more], [[], []]);
});

test("a port that somebody else has taken meanwhile is not waited for, and it is said", async (t) => {
  const plane = await TestControlPlane.start(t);
  const before = plane.xdsAddress;
  await plane.halt();
  const squatter = createServer();
  t.after(() => squatter.close());
  squatter.listen(Number(before.split(":")[1]), "127.0.0.1");
  await once(squatter, "listening");
  await plane.start();
  assert.notEqual(plane.xdsAddress, before);
  await plane.logger.until(/the port of the run before is taken/);
});

test("a port that was asked for and is taken is an error, and nothing is left behind", async (t) => {
  const squatter = createServer();
  t.after(() => squatter.close());
  squatter.listen(0, "127.0.0.1");
  await once(squatter, "listening");
  const plane = await TestControlPlane.create(t);
  await assert.rejects(
    plane.start({ adminAddress: { host: "127.0.0.1", port: (squatter.address() as AddressInfo).port } }),
    {
      code: "EADDRINUSE",
    },
  );
  assert.deepEqual(await readRunFile(plane.stateDir), { kind: "absent" });
  await plane.start();
});

test("a name as address is in the certificate, so that clients can check it", async (t) => {
  const plane = await TestControlPlane.create(t);
  await plane.start({ xdsAddress: { host: "localhost", port: 0 } });
  const proxy = await plane.proxy("web-0");
  await proxy.until("listeners", (each) => each.names(LISTENER_TYPE).length > 0);
});

test("a folder that does not exist is not made, and a file is no folder", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), "heddle-control-plane-"));
  t.after(() => rm(parent, { recursive: true }));
  const plane = await TestControlPlane.create(t);
  const missing = join(parent, "missing");
  await assert.rejects(
    plane.start({ folder: missing, stateDir: join(missing, ".heddle") }),
    /there is no folder .*missing: make it/,
  );
  await assert.rejects(access(missing));
  const file = join(parent, "file");
  await writeFile(file, "");
  await assert.rejects(plane.start({ folder: file, stateDir: join(file, ".heddle") }), /file is not a folder/);
});

test("a folder that is removed and made again while it runs changes nothing until it is back", async (t) => {
  const plane = await TestControlPlane.create(t, { "reviews.yaml": timeoutFile("3s") });
  const stateDir = await mkdtemp(join(tmpdir(), "heddle-state-"));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  await rename(join(plane.stateDir, "instances.json"), join(stateDir, "instances.json"));
  await plane.start({ stateDir });
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  await rename(plane.folder, `${plane.folder}.away`);
  t.after(() => rm(`${plane.folder}.away`, { recursive: true, force: true }));
  await plane.logger.until(/the folder cannot be read; the configuration in force stays/);
  assert.ok(hasTimeout(3)(web));
  await mkdir(plane.folder);
  await plane.write("mesh.yaml", meshFile);
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await web.until("4 s", hasTimeout(4));
});

test("a subfolder that cannot be read is not a subfolder that was deleted", async (t) => {
  const plane = await TestControlPlane.create(t);
  const team = join(plane.folder, "team");
  await mkdir(join(plane.folder, ".team"));
  await plane.write(".team/reviews.yaml", timeoutFile("3s"));
  await symlink(".team", team);
  await plane.start();
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  // A link to itself can be read by nobody, root included (ELOOP); swapped in, so that there is no moment without.
  await symlink("team", join(plane.folder, ".loop"));
  await rename(join(plane.folder, ".loop"), team);
  const line = await plane.logger.until(/HDL0008/);
  assert.match(JSON.stringify(line), /"place":"team/);
  await plane.write("ratings.yaml", timeoutFile("5s").replaceAll("reviews", "ratings"));
  await web.until("a change elsewhere", hasTimeout(5));
  assert.ok(hasTimeout(3)(web));
});

interface UnusableState {
  readonly title: string;
  readonly spoil: (stateDir: string) => Promise<void>;
  readonly message: RegExp;
}

const unusable: readonly UnusableState[] = [
  {
    title: "a damaged authority",
    spoil: (stateDir) => writeFile(join(stateDir, "ca", "authority.state"), "rubbish"),
    message:
      /authority\.state cannot be trusted: .*\. It was moved to .*Put a backup in its place; or remove that file/,
  },
  {
    title: "an authority of a newer format",
    spoil: (stateDir) => writeState(join(stateDir, "ca", "authority.state"), "certificate-authority"),
    message:
      /authority\.state has format version 99, newer than this Heddle knows \(1\). Run the version that wrote it/,
  },
  {
    title: "an authority with a good checksum and nothing in it",
    spoil: (stateDir) =>
      writeStateFile(
        join(stateDir, "ca", "authority.state"),
        "certificate-authority",
        1,
        Buffer.from('{"keyPkcs8":"AA=="}'),
      ),
    message: /holds no key and root that can be read/,
  },
  {
    title: "join tokens of a newer format",
    spoil: (stateDir) => writeState(join(stateDir, "tokens", "join-tokens.state"), "join-tokens"),
    message: /join-tokens\.state has format version 99, newer than this Heddle knows/,
  },
  {
    title: "accepted resources of a newer format",
    spoil: (stateDir) => writeState(join(stateDir, "accepted", "resources.state"), "accepted-resources"),
    message:
      /resources\.state has format version 99, newer than this Heddle knows \(1\)\. Run the version that wrote it/,
  },
  {
    title: "a list of instances of a newer format",
    spoil: (stateDir) => writeState(join(stateDir, "instances.json"), "instances"),
    message: /instances\.json has format version 99, newer than this Heddle knows/,
  },
  {
    title: "the authority of another trust domain",
    spoil: (stateDir) =>
      writeFile(
        join(stateDir, "..", "mesh.yaml"),
        meshFile.replace("spec:\n", "spec:\n  trustDomain: other.example\n"),
      ),
    message:
      /is the authority of spiffe:\/\/cluster\.local, not of the trust domain other\.example: set trustDomain back/,
  },
];

function writeState(path: string, name: string): Promise<void> {
  return writeStateFile(path, name, 99, Buffer.from("[]"));
}

for (const { title, spoil, message } of unusable) {
  test(`${title} stops the start with a message that says what to do, at every start`, async (t) => {
    const plane = await TestControlPlane.start(t);
    await plane.joinToken(identityOf("web"));
    await plane.halt();
    await spoil(plane.stateDir);
    await assert.rejects(plane.start(), message);
    await assert.rejects(
      plane.start(),
      title === "a damaged authority" ? /was damaged and moved to .*remove that file/ : message,
    );
    assert.deepEqual(await readRunFile(plane.stateDir), { kind: "absent" });
  });
}

test("an authority that was damaged is made anew once its copy has been removed", async (t) => {
  const plane = await TestControlPlane.start(t);
  const before = plane.rootPem;
  await plane.halt();
  const directory = join(plane.stateDir, "ca");
  await writeFile(join(directory, "authority.state"), "rubbish");
  await assert.rejects(plane.start(), /cannot be trusted/);
  for (const name of await readdir(directory)) await rm(join(directory, name));
  await plane.start();
  assert.notEqual(plane.rootPem, before);
});

test("a root that has expired is not used", async (t) => {
  const plane = await TestControlPlane.start(t);
  await plane.halt();
  plane.clock.shiftMs = new X509Certificate(plane.rootPem).validToDate.getTime() - Date.now() + 1000;
  await assert.rejects(plane.start(), /the root in .* expired at .*: compare the host's clock, or remove the file/);
});

test("damaged tokens, accepted resources, ports and instances are moved aside and said, and it starts", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  await plane.joinToken(identityOf("web"));
  await plane.halt();
  const paths = ["tokens/join-tokens.state", "accepted/resources.state", "ports.json", "instances.json"];
  for (const path of paths) await writeFile(join(plane.stateDir, path), "rubbish");
  await plane.start();
  for (const path of paths) {
    const folder = join(plane.stateDir, path, "..");
    const name = path.split("/").at(-1) ?? "";
    assert.ok(
      (await readdir(folder)).some((entry) => entry.startsWith(`${name}.corrupt-`)),
      path,
    );
  }
  for (const said of [
    /tokens given out before are void/,
    /resources are read afresh/,
    /list of instances cannot be trusted/,
    /port of the last run is not known.*no state file header.*ports\.json\.corrupt-/,
  ]) {
    assert.match(plane.logger.text, said);
  }
});

test("ports of a newer Heddle stop the start and are left alone", async (t) => {
  const plane = await TestControlPlane.create(t);
  const path = join(plane.stateDir, "ports.json");
  await writeStateFile(path, "ports", 99, Buffer.from("{}"));
  const before = await readFile(path, "utf8");
  await assert.rejects(plane.start(), /ports\.json has format version 99, newer than this Heddle knows/);
  assert.equal(await readFile(path, "utf8"), before);
});

test("a state folder that cannot be made stops the start with its path in the message", async (t) => {
  const plane = await TestControlPlane.create(t);
  const stateDir = join(plane.folder, "state");
  await writeFile(stateDir, "");
  await assert.rejects(plane.start({ stateDir }), /(EEXIST|ENOTDIR).*state/);
});

test("another trust domain or root namespace is refused with its line, also by a life that begins after the edit", async (t) => {
  const plane = await TestControlPlane.create(t, { "reviews.yaml": timeoutFile("3s") });
  const settings = { trustDomain: "cluster.local", rootNamespace: "istio-system" };
  await plane.start({ settings });
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  await plane.write(
    "mesh.yaml",
    meshFile.replace("spec:\n", "spec:\n  trustDomain: other.example\n  rootNamespace: roots\n"),
  );
  for (const wanted of ["other.example", "roots"]) {
    const line = await plane.logger.until(new RegExp(`${wanted} needs a restart of the mesh`));
    assert.match(JSON.stringify(line), /"code":"HDL0118","place":"mesh\.yaml:[56]"/);
  }
  await plane.halt();
  await plane.start({ settings });
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await web.until("4 s", hasTimeout(4));
  await plane.halt();
  await assert.rejects(
    plane.start({ settings: { trustDomain: "other.example", rootNamespace: "roots" } }),
    /authority\.state is the authority of spiffe:\/\/cluster\.local, not of the trust domain other\.example: set trustDomain back; or move the folder .*\/ca away/,
  );
});

test("every file of the state is its owner's alone", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  await plane.join("web");
  await plane.halt();
  for (const entry of await readdir(plane.stateDir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    assert.equal((await stat(path)).mode & 0o077, 0, path);
  }
  const key = /"keyPkcs8":"([^"]{20})/.exec(await readFile(join(plane.stateDir, "ca", "authority.state"), "utf8"))?.[1];
  assert.ok(key !== undefined && !plane.logger.text.includes(key), "the key is not logged");
});
