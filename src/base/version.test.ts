import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { clientVersion, version } from "./version.ts";

test("the version is that of package.json", () => {
  const { version: packaged } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  assert.equal(version, packaged);
  assert.equal(clientVersion, `Freshet ${packaged}`);
});
