#!/usr/bin/env node
// Starts Freshet. Plain JavaScript that any Node from 18 on can read: an older one starts the Node of this checkout in its place.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { constants, homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;
const here = (path) => new URL(path, import.meta.url);

if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) {
  // Types are stripped and code is compiled once for each version of a file; worker threads learn of the cache by the environment.
  // The cache holds code, so it is the user's own and not in a folder that everybody may write to.
  process.env.NODE_COMPILE_CACHE ??= join(cacheFolder(), "freshet", "compiled");
  nodeModule.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  const source = here("../src/cli/main.ts"); // a checkout has it; what npm installs has only dist
  const { runProcess } = await import(existsSync(source) ? source : here("../dist/cli/main.js"));
  await runProcess();
} else {
  const candidates = ["../node_modules/node/bin/node", "../node_modules/node/bin/node.exe"].map((path) =>
    fileURLToPath(here(path)),
  );
  const node = candidates.find((path) => existsSync(path));
  if (node === undefined) {
    console.error(
      `freshet: needs Node ${OLDEST_NODE} or newer and this is ${process.version}: run \`npm ci\` in ${fileURLToPath(here(".."))} (it brings Node along) or install one from https://nodejs.org`,
    );
    process.exitCode = 1;
  } else {
    runOn(node);
  }
}

function cacheFolder() {
  if (process.platform === "win32") return process.env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches");
  return process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
}

/** Runs this file again on `node` and ends as that process ends. */
function runOn(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends its signals to both processes; passing them on as well would look like a second Ctrl-C.
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const forwarded = ["SIGINT", "SIGHUP", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"].filter((name) => name in constants.signals);
  for (const name of forwarded) {
    const fromTerminal = terminal && ["SIGINT", "SIGHUP", "SIGQUIT"].includes(name);
    try {
      process.on(name, () => fromTerminal || child.kill(name));
    } catch {
      // this platform does not let a program catch it
    }
  }
  child.on("error", (error) => {
    console.error(`freshet: cannot start ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) return process.exit(code);
    for (const name of forwarded) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000); // a signal that does not end this process
  });
}
