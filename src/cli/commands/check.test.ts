import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { record } from "../../../test/cli-recorder.ts";
import { makeTorrent, writeData } from "../../../test/cli-torrents.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-check-"));
after(() => rmSync(folder, { recursive: true }));
const data = join(folder, "data");
const trip = makeTorrent({ "a.txt": 40_000, "sub/b": 20_000, "sub/empty": 0, "c:d": 10 }, { name: "trip" });
const lone = makeTorrent({ "lone.bin": 30_000 });
const tripTorrent = join(folder, "trip.torrent");
const loneTorrent = join(folder, "lone.torrent");
writeFileSync(tripTorrent, trip.bytes);
writeFileSync(loneTorrent, lone.bytes);

describe("freshet check", () => {
  beforeEach(() => {
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    writeData(trip, data);
    writeData(lone, data);
  });

  test("says that all is whole", async () => {
    const { exitCode, stdout, stderr } = await record(["check", tripTorrent, data]);
    assert.equal(exitCode, 0);
    assert.equal(stdout, "trip: 100.0 % right (4 of 4 pieces), all 4 files are whole\n");
    assert.equal(stderr, "trip: checking 100.0 %, 58.6 KiB of 58.6 KiB\n");
  });

  test("takes the file or folder itself, also under another name", async () => {
    assert.equal((await record(["check", tripTorrent, join(data, "trip")])).exitCode, 0);
    assert.equal((await record(["check", loneTorrent, join(data, "lone.bin")])).exitCode, 0);
    renameSync(join(data, "trip"), join(data, "other"));
    renameSync(join(data, "lone.bin"), join(data, "other.bin"));
    assert.equal((await record(["check", tripTorrent, join(data, "other")])).exitCode, 0);
    assert.equal((await record(["check", "-t", loneTorrent, join(data, "other.bin")])).exitCode, 0);
  });

  test("lists what is damaged, missing or longer, and fails", async () => {
    const path = join(data, "trip", "a.txt");
    const bytes = readFileSync(path);
    bytes[20_000] = (bytes[20_000] as number) ^ 1;
    writeFileSync(path, bytes);
    rmSync(join(data, "trip", "sub", "empty"));
    appendFileSync(join(data, "trip", "c:d"), "more");
    const { exitCode, stdout } = await record(["check", tripTorrent, data]);
    assert.equal(exitCode, 1);
    assert.equal(
      stdout,
      `damaged  trip/a.txt (1 of 3 pieces are wrong)
missing  trip/sub/empty
longer   trip/c:d (longer than 10 B)
trip: 72.6 % right (3 of 4 pieces), 3 of 4 files are not whole
`,
    );
  });

  test("prints one document with --json", async () => {
    rmSync(join(data, "trip", "sub", "b"));
    const { exitCode, stdout, stderr } = await record(["check", tripTorrent, data, "--json"]);
    const { infoHash, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual({ exitCode, stderr }, { exitCode: 1, stderr: "" });
    assert.match(infoHash as string, /^[0-9a-f]{40}$/);
    assert.deepEqual(rest, {
      name: "trip",
      folder: data,
      whole: false,
      pieceCount: 4,
      rightPieces: 2,
      totalLength: 60_010,
      rightLength: 32_768,
      files: [
        { number: 1, path: "trip/a.txt", length: 40_000, state: "damaged", pieces: 3, wrongPieces: 1 },
        { number: 2, path: "trip/sub/b", length: 20_000, state: "missing", pieces: 2, wrongPieces: 2 },
        { number: 3, path: "trip/sub/empty", length: 0, state: "whole", pieces: 0, wrongPieces: 0 },
        { number: 4, path: "trip/c:d", length: 10, state: "damaged", pieces: 1, wrongPieces: 1 },
      ],
    });
  });

  test("says what is wrong with the data's place", async () => {
    const absent = await record(["check", tripTorrent, join(folder, "absent")]);
    assert.equal(absent.exitCode, 1);
    assert.match(absent.stderr, /absent: no such file or folder \[CLI_NOT_FOUND\]/);
    const file = await record(["check", tripTorrent, join(data, "lone.bin")]);
    assert.equal(file.exitCode, 1);
    assert.match(file.stderr, /lone\.bin: is a file, and trip is a folder of 4 files \[CLI_NOT_A_FOLDER\]/);
    const empty = await record(["check", loneTorrent, join(data, "trip")]);
    assert.equal(empty.exitCode, 1);
    assert.equal(empty.stdout, "missing  lone.bin\nlone.bin: 0.0 % right (0 of 2 pieces), 1 of 1 files are not whole\n");
  });

  test("stops at Ctrl-C", async () => {
    assert.equal((await record(["check", tripTorrent, data], { signal: AbortSignal.abort() })).exitCode, 130);
  });
});
