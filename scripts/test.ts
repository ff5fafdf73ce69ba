/**
 * Runs the tests: all of them, or those whose path contains one of the words given.
 *
 *     npm test                        everything
 *     npm test -- wire storage/disk   files whose path contains "wire" or "storage/disk"
 *
 * With FRESHET_REQUIRE_PEERS=1 a skipped test is a failure: everything that tests need has to be installed.
 */
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** A file that takes longer than this hangs. */
const FILE_TIMEOUT_MS = 300_000;

const words = process.argv.slice(2);
const all = globSync(["src/**/*.test.ts", "test/**/*.test.ts"], { cwd: new URL("..", import.meta.url) }).sort();
const files = words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.error(`no test file matches: ${words.join(" ")}`);
  process.exit(1);
}

const tests = run({
  files,
  cwd: new URL("..", import.meta.url).pathname,
  concurrency: Math.max(2, availableParallelism()),
  timeout: FILE_TIMEOUT_MS,
});
tests.on("test:summary", ({ file, counts, success }) => {
  if (file !== undefined) return; // of one file; the last one is of them all
  if (!success || counts.tests === 0) process.exitCode = 1;
});
tests.on("test:pass", ({ name, skip }) => {
  if (skip !== undefined && skip !== false && process.env["FRESHET_REQUIRE_PEERS"] === "1") {
    console.error(`skipped, and FRESHET_REQUIRE_PEERS=1 allows no skip: ${name} (${skip})`);
    process.exitCode = 1;
  }
  if (!files.includes(name)) return; // the runner stands in for a file in which no test is
  console.error(`no test in ${name}`);
  process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);
