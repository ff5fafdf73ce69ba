import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { root } from "./source-facts.ts";

/** Makes the Node that reads it pass for one that is too old. */
const tooOld = ["--import", "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'18.20.0'})"];

/** Stands in for the program: says which Node it runs on and does what its first argument says. */
const program = `
export async function runProcess(): Promise<void> {
  const [action, ...rest] = process.argv.slice(2);
  if (action === "exit") { console.log(process.versions.node, rest.join("|")); process.exitCode = 7; return; }
  if (action === "die") process.kill(process.pid, "SIGKILL");
  const alive = setInterval(() => {}, 1000);
  process.on("SIGINT", () => { console.log("asked to stop"); clearInterval(alive); process.exitCode = 130; });
  console.log("ready");
}
`;

describe("bin/freshet.js", () => {
  let checkout: string;

  before(() => {
    checkout = mkdtempSync(join(tmpdir(), "freshet-launcher-"));
    for (const folder of ["bin", "src/cli", "node_modules/node/bin"]) mkdirSync(join(checkout, folder), { recursive: true });
    writeFileSync(join(checkout, "package.json"), '{ "type": "module" }');
    writeFileSync(join(checkout, "src/cli/main.ts"), program);
    cpSync(join(root, "bin/freshet.js"), join(checkout, "bin/freshet.js"));
  });
  after(() => rmSync(checkout, { recursive: true }));

  function launch(nodeOptions: readonly string[], ...args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [...nodeOptions, join(checkout, "bin/freshet.js"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async function outcome(child: ChildProcess): Promise<{ out: string; err: string; code: number | null; signal: string | null }> {
    assert.ok(child.stdout !== null && child.stderr !== null);
    const [out, err, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    return { out, err, code, signal };
  }

  test("an old Node without a newer one beside it says in one line what to install", async () => {
    const { out, err, code } = await outcome(launch(tooOld, "exit"));
    assert.equal(out, "");
    assert.match(err, /^freshet: needs Node 24 or newer .*npm ci.*\n$/);
    assert.equal(code, 1);
  });

  describe("with a Node in the checkout", { skip: process.platform === "win32" ? "needs a link to Node" : false }, () => {
    before(() => symlinkSync(process.execPath, join(checkout, "node_modules/node/bin/node")));

    for (const [name, options] of [["a new Node", []] as const, ["an old Node", tooOld] as const]) {
      test(`${name}: arguments and exit status pass through`, async () => {
        const { out, code } = await outcome(launch(options, "exit", "a b", "--c"));
        assert.equal(out, `${process.versions.node} a b|--c\n`);
        assert.equal(code, 7);
      });

      test(`${name}: a signal reaches the program, which ends in its own way`, async () => {
        const child = launch(options, "wait");
        child.stdout?.once("data", () => child.kill("SIGINT"));
        const { out, code } = await outcome(child);
        assert.match(out, /asked to stop/);
        assert.equal(code, 130);
      });

      test(`${name}: a program that a signal ended looks so from outside`, async () => {
        assert.equal((await outcome(launch(options, "die"))).signal, "SIGKILL");
      });
    }
  });
});
