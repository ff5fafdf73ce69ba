import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CliError, describeFailure, fileFailure, NamedError } from "./errors.ts";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: system text`), { code });

describe("errors of the file system", () => {
  const vectors: readonly (readonly [string, string])[] = [
    ["ENOENT", "a.torrent: no such file or folder [CLI_NOT_FOUND]"],
    ["EACCES", "a.torrent: permission denied [CLI_NO_PERMISSION]"],
    ["EPERM", "a.torrent: permission denied [CLI_NO_PERMISSION]"],
    ["EROFS", "a.torrent: the file system is read-only [CLI_NO_PERMISSION]"],
    ["EISDIR", "a.torrent: is a folder, not a file [CLI_IS_A_FOLDER]"],
    ["ENOTDIR", "a.torrent: a part of the path is a file, not a folder [CLI_NOT_A_FOLDER]"],
    ["EEXIST", "a.torrent: exists already [CLI_EXISTS]"],
    ["ENOSPC", "a.torrent: no space left on the device [CLI_DISK_FULL]"],
    ["EIO", "a.torrent: EIO: system text [CLI_FILE_FAILED]"],
  ];
  for (const [errno, message] of vectors) {
    test(`name the file for ${errno}`, () => {
      const failure = fileFailure("a.torrent", systemError(errno));
      assert.ok(failure instanceof CliError);
      assert.equal(failure.message, message);
      assert.equal(describeFailure(failure).exitCode, 1);
    });
  }

  test("are not made of other errors", () => {
    const others = [
      new TypeError("x"),
      new CliError("CLI_EMPTY", "x"),
      "text",
      Object.assign(systemError("ABORT_ERR"), { name: "AbortError" }),
    ];
    for (const other of others) assert.equal(fileFailure("a.torrent", other), other);
  });
});

test("an error of another part keeps its code under the name of the file", () => {
  const named = new NamedError("a.torrent", new CliError("CLI_EMPTY", "nothing in it"), "try another");
  assert.deepEqual(describeFailure(named), {
    message: "a.torrent: nothing in it",
    code: "CLI_EMPTY",
    hint: "try another",
    exitCode: 1,
  });
});
