import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkUnchanged, listContent } from "./content.ts";
import { CliError } from "./errors.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-content-"));
after(() => rmSync(folder, { recursive: true }));
const { signal } = new AbortController();

test("content that changes while it is read is told", async () => {
  const path = join(folder, "a");
  writeFileSync(path, "one");
  const content = await listContent(path, undefined, signal);
  await checkUnchanged(content);
  appendFileSync(path, "more");
  const refused = (code: string) => (error: unknown) =>
    error instanceof CliError && error.code === code && error.message.startsWith(path);
  await assert.rejects(checkUnchanged(content), refused("CLI_CHANGED"));
  rmSync(path);
  await assert.rejects(checkUnchanged(content), refused("CLI_NOT_FOUND"));
});
