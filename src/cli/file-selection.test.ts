import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { makeTorrent } from "../../test/cli-torrents.ts";
import { CliError } from "./errors.ts";
import { selectFiles } from "./file-selection.ts";

const torrent = parseMetainfo(makeTorrent({ "a.iso": 1, "sub/b.iso": 1, "sub/deep/c.txt": 1, "d.txt": 1 }, { name: "trip" }).bytes);
const selected = (selection: string): number[] => {
  const skipped = selectFiles(selection, torrent);
  for (const priority of skipped.values()) assert.equal(priority, 0);
  return torrent.files.filter(({ index }) => !skipped.has(index)).map(({ index }) => index + 1);
};

describe("--files", () => {
  const vectors: readonly (readonly [string, readonly number[]])[] = [
    ["2", [2]],
    ["1,3-4", [1, 3, 4]],
    [" 4 , 1 - 2", [1, 2, 4]],
    ["*.iso", [1, 2]],
    ["sub/*", [2]],
    ["sub/**", [2, 3]],
    ["**/*.txt", [3, 4]],
    ["{a,d}.*", [1, 4]],
    ["sub/b.iso", [2]],
  ];
  for (const [selection, numbers] of vectors)
    test(`${selection} selects ${numbers.join(" and ")}`, () => assert.deepEqual(selected(selection), numbers));

  test("skips nothing when it is not given", () => assert.equal(selectFiles(undefined, torrent).size, 0));

  for (const [selection, code] of [
    ["0", "CLI_BAD_NUMBER"],
    ["5", "CLI_BAD_NUMBER"],
    ["3-2", "CLI_BAD_NUMBER"],
    ["1,,2", "CLI_BAD_NUMBER"],
    ["-1", "CLI_BAD_NUMBER"],
    ["*.mp3", "CLI_NO_MATCH"],
  ] as const) {
    test(`refuses ${selection}`, () => {
      assert.throws(
        () => selected(selection),
        (error) => error instanceof CliError && error.code === code && error.message.includes("trip"),
      );
    });
  }
});
