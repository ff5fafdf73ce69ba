import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { version } from "#/base/version.ts";
import { encodeAnnounceAnswer } from "#/tracker/protocol/index.ts";
import { makeTorrent, writeData } from "../../test/cli-torrents.ts";
import { commandTable } from "./command-table.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-process-"));
after(() => rmSync(folder, { recursive: true }));
const program = fileURLToPath(new URL("../../bin/freshet.js", import.meta.url));

interface Started {
  readonly child: ChildProcess;
  /** What came so far. */
  readonly output: { stdout: string; stderr: string };
  readonly exited: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

function start(
  args: readonly string[],
  options: { readonly node?: readonly string[]; readonly uid?: number; readonly temporary?: string } = {},
): Started {
  const env = {
    ...process.env,
    HOME: folder,
    XDG_CONFIG_HOME: folder,
    XDG_STATE_HOME: folder,
    TMPDIR: options.temporary ?? folder,
  };
  const child = spawn(process.execPath, [...(options.node ?? []), program, ...args], {
    env: { ...env, NODE_COMPILE_CACHE: "", NODE_DISABLE_COMPILE_CACHE: "1", NO_COLOR: "1" },
    ...(options.uid !== undefined && { uid: options.uid }),
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return { child, output, exited: once(child, "close").then(([code]) => ({ code: code as number | null, ...output })) };
}

/** Resolves when the process has printed something that matches. */
async function printed(started: Started, pattern: RegExp): Promise<void> {
  const matches = (): boolean => pattern.test(started.output.stdout) || pattern.test(started.output.stderr);
  while (!matches()) {
    const waiting = [started.child.stdout, started.child.stderr].flatMap((stream) =>
      stream === null ? [] : [once(stream, "data")],
    );
    await Promise.race([...waiting, started.exited.then(() => assert.fail(`ended before ${pattern}: ${started.output.stderr}`))]);
  }
}

const lone = makeTorrent({ "lone.bin": 30_000 });
const torrentFile = join(folder, "lone.torrent");
writeFileSync(torrentFile, lone.bytes);
writeData(lone, folder);

describe("the process", () => {
  test("prints its version and ends with status 0", async () => {
    assert.deepEqual(await start(["--version"]).exited, { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("ends with status 2 for wrong usage and 1 for failure", async () => {
    const usage = await start(["metanfo"]).exited;
    assert.deepEqual(
      [usage.code, usage.stderr],
      [2, "freshet: unknown command 'metanfo' [CLI_UNKNOWN_COMMAND]\nhint: did you mean metainfo?\n"],
    );
    const failed = start(["metainfo", "-"]);
    failed.child.stdin?.end("no torrent");
    const { code, stderr } = await failed.exited;
    assert.deepEqual([code, stderr], [1, "freshet: standard input: not a torrent [CLI_NOT_A_TORRENT]\n"]);
  });

  test("loads only the module of the command it runs", async () => {
    const hook = `import { registerHooks } from "node:module";
      const seen = [];
      registerHooks({ resolve: (name, context, next) => { const found = next(name, context); seen.push(found.url); return found; } });
      process.on("exit", () => process.stderr.write(seen.join("\\n")));`;
    const started = start(["bencode", "-"], { node: ["--import", `data:text/javascript,${encodeURIComponent(hook)}`] });
    started.child.stdin?.end("i1e");
    const { stdout, stderr } = await started.exited;
    assert.equal(stdout, "1\n");
    const loaded = stderr
      .split("\n")
      .flatMap((url) => /(?:src\/cli\/commands|src\/client|node_modules|src\/bittorrent)\/[^/]+/.exec(url)?.[0] ?? []);
    assert.deepEqual([...new Set(loaded)].sort(), [
      "node_modules/commander",
      "src/bittorrent/bencode",
      "src/cli/commands/bencode.ts",
    ]);
  });

  for (const entry of commandTable.filter(({ name }) => name !== "download" && name !== "scrape")) {
    test(`runs the example of ${entry.name} as pasted`, async () => {
      const { example } = await entry.load();
      const place = mkdtempSync(join(folder, "example-"));
      writeFileSync(join(place, "file"), "content");
      const shell = `freshet() { '${process.execPath}' '${program}' "$@"; }; ${example.replace("--seed-time 5s", "--seed-time 50ms")}`;
      const env = {
        ...process.env,
        HOME: place,
        XDG_CONFIG_HOME: place,
        XDG_STATE_HOME: place,
        FRESHET_LISTEN: "127.0.0.1",
        FRESHET_PORT: "0",
      };
      const child = spawn("sh", ["-e", "-c", shell], { cwd: place, env, stdio: ["ignore", "ignore", "pipe"] });
      let stderr = "";
      child.stderr.on("data", (text) => {
        stderr += text;
      });
      const [code] = await once(child, "close");
      assert.equal(code, 0, stderr);
    });
  }

  test("ends quietly when nobody reads its output", async () => {
    const many = makeTorrent(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`folder/a-long-name-of-a-file-${i}`, 1])), {
      name: "many",
    });
    writeFileSync(join(folder, "many.torrent"), many.bytes);
    const started = start(["metainfo", join(folder, "many.torrent")]);
    started.child.stdout?.destroy();
    const { stderr } = await started.exited;
    assert.doesNotMatch(stderr, /EPIPE|at .*\.ts/);
  });

  test("cannot read a file that its user may not read", {
    skip: process.platform === "win32" && "no such permissions",
  }, async () => {
    const open = mkdtempSync(join(tmpdir(), "freshet-open-"));
    try {
      chmodSync(open, 0o755);
      const secret = join(open, "secret.torrent");
      writeFileSync(secret, lone.bytes);
      chmodSync(secret, 0);
      const asNobody = process.getuid?.() === 0 ? { uid: 65_534 } : {}; // root may read everything
      const { code, stdout, stderr } = await start(["metainfo", secret], { ...asNobody, temporary: open }).exited;
      assert.deepEqual([code, stdout, stderr], [1, "", `freshet: ${secret}: permission denied [CLI_NO_PERMISSION]\n`]);
      const output = join(open, "closed");
      mkdirSync(output, { mode: 0o555 });
      const run = await start(["create", join(open, "x"), "-o", join(output, "x.torrent")], { ...asNobody, temporary: open })
        .exited;
      assert.deepEqual([run.code, run.stdout], [1, ""]);
      assert.deepEqual(readdirSync(output), []);
    } finally {
      rmSync(open, { recursive: true });
    }
  });
});

describe("Ctrl-C", () => {
  const quiet = ["--listen", "127.0.0.1", "--port", "0", "--state", folder];

  test("ends a command with status 130", async () => {
    const started = start(["seed", torrentFile, folder, ...quiet]);
    await printed(started, /^seeding lone\.bin/m);
    started.child.kill("SIGINT");
    const { code, stderr } = await started.exited;
    assert.equal(code, 130);
    assert.match(stderr, /^freshet: stopped before it was done \[CLI_INTERRUPTED\]$/m);
  });

  test("says goodbye to trackers, and leaves at once when it comes again", async () => {
    const asked: string[] = [];
    const stopping = Promise.withResolvers<void>();
    await using server = createServer((request, response) => {
      asked.push(/event=(\w+)/.exec(request.url ?? "")?.[1] ?? "");
      if (asked.at(-1) === "stopped") return void stopping.resolve(); // never answered
      response.end(encodeAnnounceAnswer({ intervalSeconds: 1800, peers: [] }, { compact: true }));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const tracker = `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`;
    const started = start(["seed", torrentFile, folder, "--json", "--tracker", tracker, ...quiet]);
    await printed(started, /"announced"/);
    started.child.kill("SIGINT");
    await stopping.promise;
    started.child.kill("SIGINT");
    const { code } = await started.exited;
    server.closeAllConnections();
    assert.equal(code, 130);
    assert.deepEqual(asked, ["started", "stopped"]);
  });

  test("twice leaves nothing of the demo behind", async () => {
    const temporary = join(folder, "temporary");
    mkdirSync(temporary);
    const started = start(["demo", "--size", "64M"], { temporary });
    await printed(started, /^seeder listens/m);
    assert.equal(readdirSync(temporary).length, 1);
    started.child.kill("SIGINT");
    started.child.kill("SIGINT");
    const { code } = await started.exited;
    assert.equal(code, 130);
    assert.deepEqual(readdirSync(temporary), []);
  });
});
