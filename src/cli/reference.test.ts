import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commandTable } from "./command-table.ts";
import { commandLineReference } from "./reference.ts";

test("docs/cli.md is what the tables of commands and settings say; npm run docs prints it anew", async () => {
  const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  assert.equal(page, await commandLineReference());
  for (const { name } of commandTable) assert.match(page, new RegExp(`^## ${name}$`, "m"));
});
