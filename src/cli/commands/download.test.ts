import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type RecordedRun, record } from "../../../test/cli-recorder.ts";
import { makeTorrent, writeData } from "../../../test/cli-torrents.ts";
import { DemoTracker } from "../demo/tracker.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-download-"));
after(() => rmSync(folder, { recursive: true }));
const trip = makeTorrent({ "a.txt": 40_000, "sub/b": 100_000, "sub/empty": 0 }, { name: "trip" });
const lone = makeTorrent({ "lone.bin": 30_000 });
const source = join(folder, "source");
writeData(trip, source);
writeData(lone, source);
const write = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
const tripTorrent = write("trip.torrent", trip.bytes);
const loneTorrent = write("lone.torrent", lone.bytes);

let count = 0;
/** Options that keep a client on loopback and its state in a folder of its own. */
const local = (): readonly string[] => ["--listen", "127.0.0.1", "--port", "0", "--state", join(folder, `state${count++}`)];

interface Seeding {
  readonly address: string;
  /** Ctrl-C, and what the command said until then. */
  stop(): Promise<RecordedRun>;
}

/** Runs `freshet seed` until stopped. */
async function seed(...args: readonly string[]): Promise<Seeding> {
  const controller = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const run = record(["seed", ...args, "--json", ...local()], {
    signal: controller.signal,
    onOutput: (text) => {
      const event = text.startsWith("{")
        ? (JSON.parse(text) as { event: string; endpoints: { host: string; port: number }[] })
        : undefined;
      if (event?.event === "listening") resolve(`${event.endpoints[0]?.host}:${event.endpoints[0]?.port}`);
    },
  });
  run.then(({ stderr }) => reject(new Error(stderr)), reject);
  const address = await promise;
  return {
    address,
    stop: () => {
      controller.abort();
      return run;
    },
  };
}

const same = (torrent: typeof trip, output: string): void => {
  for (const [path, bytes] of torrent.files) assert.deepEqual(readFileSync(join(output, path)), Buffer.from(bytes), path);
};
const events = (run: RecordedRun): Record<string, unknown>[] =>
  run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("freshet download", () => {
  test("downloads two torrents from peers that are named", async () => {
    const [one, other] = [await seed(tripTorrent, source), await seed(loneTorrent, join(source, "lone.bin"))];
    const output = join(folder, "two", "new");
    const run = await record([
      "download",
      tripTorrent,
      "-t",
      loneTorrent,
      "-o",
      output,
      "--peer",
      one.address,
      "--peer",
      other.address,
      ...local(),
    ]);
    assert.equal(run.exitCode, 0, run.stderr);
    same(trip, output);
    same(lone, output);
    assert.match(
      run.stdout,
      /^trip: 137 KiB in \S+, \S+ .iB\/s, \S+\/two\/new\/trip\nlone\.bin: 29\.3 KiB in .*\/two\/new\/lone\.bin\n$/,
    );
    assert.match(run.stderr, /^trip: seeding 100\.0 %, 137 KiB of 137 KiB, .*\nlone\.bin: .*\nall: 100\.0 %, 166 KiB of 166 KiB/m);
    for (const seeding of [one, other]) {
      const ended = await seeding.stop();
      assert.equal(ended.exitCode, 130);
      assert.equal(events(ended).at(-1)?.["code"], "CLI_INTERRUPTED");
      assert.ok(events(ended).some(({ event }) => event === "peerConnected"));
    }
  });

  test("tells events with --json, and goes on where it was", async () => {
    const seeding = await seed(tripTorrent, source);
    const output = join(folder, "again");
    const args = ["download", "-", "-o", output, "--peer", seeding.address, "--json", ...local()];
    const first = await record(args, { stdin: trip.bytes });
    assert.equal(first.exitCode, 0, first.stderr);
    assert.equal(first.stderr, "");
    for (const { event, time } of events(first)) {
      assert.equal(typeof event, "string");
      assert.equal(new Date(time as string).toISOString(), time);
    }
    const names = events(first).map(({ event }) => event);
    assert.deepEqual(names.slice(0, 2), ["listening", "added"]);
    for (const wanted of ["checked", "peerConnected", "completed"]) assert.ok(names.includes(wanted), wanted);
    const { torrents } = events(first).at(-1) as { torrents: Record<string, unknown>[] };
    assert.deepEqual([names.at(-1), torrents[0]?.["path"], torrents[0]?.["size"]], ["done", join(output, "trip"), 140_000]);
    await seeding.stop();
    const second = await record(args, { stdin: trip.bytes });
    assert.equal(second.exitCode, 0, second.stderr);
    assert.equal(events(second).find(({ event }) => event === "checked")?.["have"], 9);
  });

  test("says that there was nothing to do", async () => {
    const run = await record(["download", loneTorrent, "-o", source, ...local()]);
    assert.equal(run.exitCode, 0);
    assert.match(run.stdout, /^lone\.bin: 29\.3 KiB, was complete, .*\/source\/lone\.bin\n$/);
  });

  test("downloads only the files that are wanted", async () => {
    const seeding = await seed(tripTorrent, join(source, "trip"));
    const output = join(folder, "some");
    const run = await record([
      "download",
      tripTorrent,
      "-o",
      output,
      "--files",
      "a.*",
      "--sequential",
      "--peer",
      seeding.address,
      ...local(),
    ]);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.deepEqual(readFileSync(join(output, "trip", "a.txt")), Buffer.from(trip.files.get("trip/a.txt") as Uint8Array));
    assert.ok(!existsSync(join(output, "trip", "sub", "b")));
    await seeding.stop();
  });

  test("finds peers through a tracker, in place of the torrent's own", async () => {
    await using tracker = await DemoTracker.open();
    const torrent = write(
      "tracked.torrent",
      makeTorrent({ "lone.bin": 30_000 }, { outer: { announce: "http://127.0.0.1:9/announce" } }).bytes,
    );
    const given = ["--no-tracker", "--tracker", tracker.url];
    const seeding = await seed(torrent, source, ...given);
    const output = join(folder, "tracked");
    const run = await record(["download", torrent, "-o", output, ...given, "--json", ...local()]);
    assert.equal(run.exitCode, 0, run.stderr);
    same(lone, output);
    const asked = new Set(events(run).flatMap(({ url }) => url ?? []));
    assert.deepEqual([...asked], [tracker.url]);
    await seeding.stop();
  });

  test("seeds until the ratio or the time is reached", async () => {
    const run = await record(["download", loneTorrent, "-o", source, "--seed-ratio", "5", "--seed-time", "100ms", ...local()]);
    assert.equal(run.exitCode, 0);
  });

  describe("refuses", () => {
    const file = write("a-file", "x");
    const bad = write("bad.torrent", "<html>");
    const cut = write("cut.torrent", trip.bytes.subarray(0, 50));
    const refusals: readonly {
      readonly name: string;
      readonly args: readonly string[];
      readonly exitCode: number;
      readonly stderr: RegExp;
    }[] = [
      { name: "nothing to download", args: [], exitCode: 2, stderr: /no torrent is given \[CLI_MISSING_ARGUMENT\]/ },
      {
        name: "an absent torrent",
        args: [join(folder, "absent.torrent")],
        exitCode: 1,
        stderr: /absent\.torrent: no such file or folder \[CLI_NOT_FOUND\]/,
      },
      { name: "what is not a torrent", args: [bad], exitCode: 1, stderr: /bad\.torrent: not a torrent \[CLI_NOT_A_TORRENT\]/ },
      { name: "a truncated torrent", args: [cut], exitCode: 1, stderr: /cut\.torrent: truncated torrent.* \[BENCODE_TRUNCATED\]/ },
      { name: "a magnet link", args: ["magnet:?xt=urn:btih:1"], exitCode: 2, stderr: /\[CLI_MAGNET_UNSUPPORTED\]/ },
      { name: "a good and a bad torrent", args: [loneTorrent, bad], exitCode: 1, stderr: /bad\.torrent: not a torrent/ },
      {
        name: "the same torrent twice",
        args: [loneTorrent, loneTorrent],
        exitCode: 1,
        stderr: /lone\.bin is in this client already \[CLIENT_DUPLICATE_TORRENT\]/,
      },
      {
        name: "an output that is a file",
        args: [loneTorrent, "-o", file],
        exitCode: 1,
        stderr: /a-file: is a file, not a folder to download to \[CLI_NOT_A_FOLDER\]/,
      },
      {
        name: "an output below a file",
        args: [loneTorrent, "-o", join(file, "x")],
        exitCode: 1,
        stderr: /a-file\/x: .*not a folder \[CLI_NOT_A_FOLDER\]/,
      },
      {
        name: "an unknown option",
        args: [loneTorrent, "--ouptut", "x"],
        exitCode: 2,
        stderr: /'--ouptut' \[CLI_UNKNOWN_OPTION\]\nhint: did you mean --output\?/,
      },
      {
        name: "a bad rate",
        args: [loneTorrent, "--down", "quick"],
        exitCode: 2,
        stderr: /--down: "quick" is not a rate .* \[CLI_BAD_RATE\]/,
      },
      {
        name: "a bad address",
        args: [loneTorrent, "--peer", "127.0.0.1"],
        exitCode: 2,
        stderr: /--peer: "127\.0\.0\.1" is not an address .* \[CLI_BAD_ADDRESS\]/,
      },
      {
        name: "a SCION address",
        args: [loneTorrent, "--peer", "1-ff00:0:110,[127.0.0.1]:1"],
        exitCode: 2,
        stderr: /--peer: 1-ff00:0:110,\[127\.0\.0\.1\]:1 .* \[CLI_SCION_UNSUPPORTED\]/,
      },
      {
        name: "files that are not there",
        args: [loneTorrent, "--files", "*.mp3"],
        exitCode: 2,
        stderr: /lone\.bin: no file matches "\*\.mp3" \[CLI_NO_MATCH\]/,
      },
      {
        name: "to wait longer than --timeout for peers",
        args: [loneTorrent, "--timeout", "200ms"],
        exitCode: 1,
        stderr: /lone\.bin: nothing moved for 200ms: no peers were found \[CLI_TIMEOUT\]\nhint: --peer/,
      },
      {
        name: "to wait for a peer that is not there",
        args: [loneTorrent, "--timeout", "300ms", "--peer", "127.0.0.1:9"],
        exitCode: 1,
        stderr: /lone\.bin: nothing moved for 300ms: none of 1 known peers can be reached \[CLI_TIMEOUT\]/,
      },
    ];
    for (const { name, args, exitCode, stderr } of refusals) {
      test(`${name} and leaves nothing behind`, async () => {
        const output = join(folder, "never");
        const before = readdirSync(folder).filter((entry) => !entry.startsWith("state"));
        const run = await record(["download", ...args, ...(args.includes("-o") ? [] : ["-o", output]), ...local()]);
        assert.equal(run.exitCode, exitCode, run.stderr);
        assert.match(run.stderr, stderr);
        assert.equal(run.stdout, "");
        assert.deepEqual(
          readdirSync(folder).filter((entry) => !entry.startsWith("state")),
          before,
        );
      });
    }

    test("to go on after Ctrl-C", async () => {
      const controller = new AbortController();
      const onOutput = (text: string): void => void (text.includes('"checked"') && controller.abort());
      const run = await record(["download", loneTorrent, "-o", join(folder, "stopped"), "--json", ...local()], {
        signal: controller.signal,
        onOutput,
      });
      assert.equal(run.exitCode, 130);
      assert.deepEqual([events(run).at(-1)?.["event"], events(run).at(-1)?.["code"]], ["failed", "CLI_INTERRUPTED"]);
    });

    test("a torrent whose file cannot be made, and says which", async () => {
      const seeding = await seed(loneTorrent, source);
      const output = join(folder, "taken");
      mkdirSync(join(output, "lone.bin"), { recursive: true });
      const run = await record(["download", loneTorrent, "-o", output, "--peer", seeding.address, "--json", ...local()]);
      assert.equal(run.exitCode, 1);
      assert.match(run.stderr, /freshet: lone\.bin: .* \[STORAGE_NOT_A_FILE\]/);
      assert.deepEqual([events(run).at(-1)?.["event"], events(run).at(-1)?.["code"]], ["failed", "STORAGE_NOT_A_FILE"]);
      await seeding.stop();
    });
  });
});

describe("freshet seed", () => {
  test("says what it does and ends after --seed-time", async () => {
    const { exitCode, stdout, stderr } = await record(["seed", loneTorrent, source, "--seed-time", "50ms", ...local()]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /^seeding lone\.bin at 127\.0\.0\.1:\d+$/m);
    assert.match(stdout, /^lone\.bin: uploaded 0 B in \S+, ratio 0\.00\n$/);
  });

  test("refuses data that is not whole and writes nothing into it", async () => {
    const part = join(folder, "part");
    mkdirSync(join(part, "trip"), { recursive: true });
    writeFileSync(join(part, "trip", "a.txt"), trip.files.get("trip/a.txt") as Uint8Array);
    const run = await record(["seed", tripTorrent, part, ...local()]);
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, /freshet: trip: only 23\.4 % of the data in \S+\/part is right \[CLI_DIFFERS\]\nhint: freshet check/);
    assert.deepEqual(readdirSync(part, { recursive: true }).sort(), ["trip", join("trip", "a.txt")]);
  });

  test("refuses a port that is taken", async () => {
    const seeding = await seed(loneTorrent, source);
    const taken = await record(["seed", loneTorrent, source, "--listen", seeding.address, "--state", join(folder, "state-taken")]);
    assert.equal(taken.exitCode, 1);
    assert.match(taken.stderr, /\[TRANSPORT_CANNOT_LISTEN\]/);
    await seeding.stop();
  });
});
