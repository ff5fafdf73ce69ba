import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { record } from "../../../test/cli-recorder.ts";
import { makeTorrent, writeData } from "../../../test/cli-torrents.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-create-"));
after(() => rmSync(folder, { recursive: true }));
const data = makeTorrent({ "b.txt": 10, "a/z": 40_000, "a/é": 3, "a.b": 20, empty: 0 }, { name: "trip" });
writeData(data, folder);
const trip = join(folder, "trip");

describe("freshet create", () => {
  test("writes the torrent of a folder", async () => {
    const output = join(folder, "trip.torrent");
    const { exitCode, stdout, stderr } = await record([
      ...["create", trip, "-o", output, "--piece-length", "16k", "--private", "--comment", "hello", "--source", "SRC"],
      ...["--tracker", "http://a.example/announce,udp://b.example:1", "--tracker", "http://c.example/announce"],
      ...["--web-seed", "http://w.example/", "--web-seed", "http://x.example/", "--date", "2026-01-31T12:00:00Z"],
    ]);
    const torrent = parseMetainfo(readFileSync(output));
    assert.equal(exitCode, 0);
    assert.equal(stdout, `${output}: 39.1 KiB in 5 files, 3 pieces of 16.0 KiB\ninfo hash ${torrent.infoHashHex}\n`);
    assert.equal(stderr, "trip: hashing 100.0 %, 39.1 KiB of 39.1 KiB\n");
    assert.equal(torrent.name, "trip");
    assert.deepEqual(
      torrent.files.map(({ path, length }) => [path.join("/"), length]),
      [
        ["a/z", 40_000],
        ["a/é", 3],
        ["a.b", 20],
        ["b.txt", 10],
        ["empty", 0],
      ],
    );
    assert.equal(torrent.isPrivate, true);
    assert.equal(torrent.comment, "hello");
    assert.equal(torrent.source, "SRC");
    assert.match(torrent.createdBy ?? "", /^Freshet \d/);
    assert.deepEqual(torrent.trackers, [["http://a.example/announce", "udp://b.example:1"], ["http://c.example/announce"]]);
    assert.deepEqual(torrent.webSeeds, ["http://w.example/", "http://x.example/"]);
    assert.deepEqual(torrent.creationDate, new Date("2026-01-31T12:00:00Z"));
    assert.equal((await record(["check", output, trip])).exitCode, 0);
  });

  test("writes the torrent of a file to standard output, and what was made to standard error", async () => {
    const { stdoutBytes, stderr } = await record(["create", join(trip, "b.txt"), "-o", "-"]);
    const torrent = parseMetainfo(stdoutBytes);
    assert.deepEqual([torrent.name, torrent.singleFile, torrent.totalLength, torrent.pieceLength], ["b.txt", true, 10, 16_384]);
    assert.deepEqual([torrent.trackers, torrent.isPrivate, torrent.creationDate], [[], false, undefined]);
    assert.match(
      stderr,
      new RegExp(`^b\\.txt: 10 B in 1 file, 1 pieces? of 16\\.0 KiB\\ninfo hash ${torrent.infoHashHex}\n$`, "m"),
    );
  });

  test("gives the same bytes for the same input, wherever it is", async () => {
    const elsewhere = join(folder, "elsewhere", "trip");
    cpSync(trip, elsewhere, { recursive: true });
    const [one, other] = [await record(["create", trip, "-o", "-"]), await record(["create", `${elsewhere}/`, "-o", "-"])];
    assert.deepEqual(one.stdoutBytes, other.stdoutBytes);
  });

  test("prints one document with --json", async () => {
    const output = join(folder, "json.torrent");
    const { stdout } = await record(["create", trip, "-o", output, "--json"]);
    const { infoHash, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(infoHash, parseMetainfo(readFileSync(output)).infoHashHex);
    assert.deepEqual(rest, { output, name: "trip", totalLength: 40_033, pieceLength: 16_384, pieceCount: 3, files: 5 });
  });

  test("leaves out the torrent that it replaces, follows links and does not run in circles", async () => {
    const inside = join(folder, "inside");
    mkdirSync(join(inside, "sub"), { recursive: true });
    writeFileSync(join(inside, "x"), "x");
    symlinkSync(join(trip, "b.txt"), join(inside, "link"));
    symlinkSync(inside, join(inside, "sub", "circle"));
    const output = join(inside, "inside.torrent");
    for (let run = 0; run < 2; run++) {
      assert.equal((await record(["create", inside, "-o", output, "--force"])).exitCode, 0);
      assert.deepEqual(
        parseMetainfo(readFileSync(output)).files.map(({ path }) => path.join("/")),
        ["link", "x"],
      );
    }
  });

  const absent = join(folder, "absent");
  const hollow = join(folder, "hollow");
  mkdirSync(hollow);
  const taken = join(folder, "taken.torrent");
  writeFileSync(taken, "mine");
  const refusals: readonly {
    readonly name: string;
    readonly args: readonly string[];
    readonly exitCode: number;
    readonly stderr: RegExp;
  }[] = [
    { name: "no path", args: [], exitCode: 2, stderr: /missing required argument 'path' \[CLI_MISSING_ARGUMENT\]/ },
    { name: "an absent path", args: [absent], exitCode: 1, stderr: /\/absent: no such file or folder \[CLI_NOT_FOUND\]/ },
    { name: "a folder without files", args: [hollow], exitCode: 1, stderr: /\/hollow: holds no file \[CLI_EMPTY\]/ },
    { name: "nothing but empty files", args: [join(trip, "empty")], exitCode: 1, stderr: /\/empty: holds no data \[CLI_EMPTY\]/ },
    { name: "a path without a name", args: ["/"], exitCode: 2, stderr: /\/: has no name .* \[CLI_BAD_VALUE\]/ },
    {
      name: "an output that exists",
      args: [trip, "-o", taken],
      exitCode: 1,
      stderr: /taken\.torrent: exists already \[CLI_EXISTS\]\nhint: --force/,
    },
    {
      name: "an output that is a folder",
      args: [trip, "-o", hollow, "--force"],
      exitCode: 1,
      stderr: /\/hollow: is a folder, not a file \[CLI_IS_A_FOLDER\]/,
    },
    {
      name: "an output below a file",
      args: [trip, "-o", join(taken, "x")],
      exitCode: 1,
      stderr: /taken\.torrent\/x: .* \[CLI_NOT_A_FOLDER\]/,
    },
    {
      name: "an output in an absent folder",
      args: [trip, "-o", join(absent, "x")],
      exitCode: 1,
      stderr: /absent\/x: no such file or folder \[CLI_NOT_FOUND\]/,
    },
    {
      name: "a bad size",
      args: [trip, "--piece-length", "big"],
      exitCode: 2,
      stderr: /--piece-length: "big" is not a size .* \[CLI_BAD_SIZE\]/,
    },
    {
      name: "a piece length between powers of two",
      args: [trip, "--piece-length", "100k"],
      exitCode: 2,
      stderr: /--piece-length: 100k is not a power of two .* \[CLI_BAD_PIECE_LENGTH\]/,
    },
    {
      name: "a piece length that is too small",
      args: [trip, "--piece-length", "8k"],
      exitCode: 2,
      stderr: /\[CLI_BAD_PIECE_LENGTH\]/,
    },
    {
      name: "a bad tracker",
      args: [trip, "--tracker", "http://a.example/announce,b"],
      exitCode: 2,
      stderr: /--tracker: "b" is not a tracker's URL .* \[CLI_BAD_URL\]/,
    },
    { name: "a bad web seed", args: [trip, "--web-seed", "w"], exitCode: 2, stderr: /--web-seed: "w" is not .* \[CLI_BAD_URL\]/ },
    {
      name: "a bad date",
      args: [trip, "--date", "tomorrow"],
      exitCode: 2,
      stderr: /--date: "tomorrow" is not a date .* \[CLI_BAD_VALUE\]/,
    },
    { name: "two documents on standard output", args: [trip, "-o", "-", "--json"], exitCode: 2, stderr: /\[CLI_BAD_VALUE\]/ },
  ];
  for (const { name, args, exitCode, stderr } of refusals) {
    test(`refuses ${name} and writes nothing`, async () => {
      const before = readdirSync(folder);
      const run = await record(["create", ...args]);
      assert.equal(run.exitCode, exitCode);
      assert.match(run.stderr, stderr);
      assert.equal(run.stdout, "");
      assert.deepEqual(readdirSync(folder), before);
      assert.equal(readFileSync(taken, "utf8"), "mine");
    });
  }

  test("stops at Ctrl-C and writes nothing", async () => {
    const output = join(folder, "stopped.torrent");
    const { exitCode } = await record(["create", trip, "-o", output], { signal: AbortSignal.abort() });
    assert.equal(exitCode, 130);
    assert.ok(!readdirSync(folder).includes("stopped.torrent"));
  });
});
