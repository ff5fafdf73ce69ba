import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { tryFromHex } from "#/base/bytes.ts";
import { decodeScrapeQuery, encodeFailure, encodeScrapeAnswer } from "#/tracker/protocol/index.ts";
import { record } from "../../../test/cli-recorder.ts";
import { makeTorrent } from "../../../test/cli-torrents.ts";

const known = "0123456789abcdef0123456789abcdef01234567";
const unknown = "ff".repeat(20);

describe("freshet scrape", () => {
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? "", "http://tracker");
    if (pathname === "/refusing/scrape") return void response.end(encodeFailure({ reason: "go away" }));
    const wanted = decodeScrapeQuery(search.slice(1)).map((infoHash) => Buffer.from(infoHash).toString("hex"));
    const entry = { seeders: 1234, leechers: 5, completed: 67 };
    response.end(
      encodeScrapeAnswer(wanted.includes(unknown) && wanted.length === 1 ? [] : [[tryFromHex(known) as Uint8Array, entry]]),
    );
  });
  let base = "";
  before(async () => {
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  test("asks a tracker for info hashes", async () => {
    const { exitCode, stdout, stderr } = await record(["scrape", "-t", `${base}/announce`, "-i", `${known},${unknown}`]);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
    assert.equal(
      stdout,
      `${base}/announce\n  ${known}  1,234 seeders, 5 leechers, 67 completed\n  ${unknown}  not known to this tracker\n`,
    );
  });

  test("prints one document with --json", async () => {
    const { stdout } = await record(["scrape", "-t", `${base}/announce`, "-i", known, "-i", unknown, "--json"]);
    assert.deepEqual(JSON.parse(stdout), {
      trackers: [
        {
          url: `${base}/announce`,
          torrents: [
            { infoHash: known, known: true, seeders: 1234, leechers: 5, completed: 67 },
            { infoHash: unknown, known: false },
          ],
        },
      ],
    });
  });

  test("asks all trackers of a torrent, and succeeds when one answers", async () => {
    const { bytes } = makeTorrent({ a: 1 }, { outer: { "announce-list": [[`${base}/refusing/announce`], [`${base}/announce`]] } });
    const { exitCode, stdout } = await record(["scrape", "-"], { stdin: bytes });
    assert.equal(exitCode, 0);
    assert.match(stdout, /\/refusing\/announce\n {2}.*go away.* \[TRACKER_FAILURE\]\n/);
    assert.match(stdout, /\n {2}[0-9a-f]{40} {2}not known to this tracker\n$/);
  });

  const bytes = makeTorrent({ "a.bin": 1 }).bytes;
  const refusals: readonly {
    readonly name: string;
    readonly args: () => readonly string[];
    readonly exitCode: number;
    readonly stderr: RegExp;
  }[] = [
    {
      name: "no torrent",
      args: () => ["-t", `${base}/announce`],
      exitCode: 2,
      stderr: /no torrent to ask for \[CLI_MISSING_ARGUMENT\]/,
    },
    {
      name: "no tracker",
      args: () => ["-i", known],
      exitCode: 2,
      stderr: /no tracker to ask \[CLI_MISSING_ARGUMENT\]\nhint: name one with -t/,
    },
    {
      name: "a torrent without trackers",
      args: () => ["-"],
      exitCode: 2,
      stderr: /names no tracker to ask \[CLI_MISSING_ARGUMENT\]/,
    },
    {
      name: "a bad info hash",
      args: () => ["-t", `${base}/announce`, "-i", `${known},12`],
      exitCode: 2,
      stderr: /--info-hash: "12" is not an info hash .* \[CLI_BAD_INFO_HASH\]/,
    },
    {
      name: "a bad URL",
      args: () => ["-t", "tracker", "-i", known],
      exitCode: 2,
      stderr: /--tracker: "tracker" is not a tracker's URL .* \[CLI_BAD_URL\]/,
    },
    {
      name: "a tracker that refuses",
      args: () => ["-t", `${base}/refusing/announce`, "-i", known],
      exitCode: 1,
      stderr: /\/refusing\/announce: .*go away.* \[TRACKER_FAILURE\]/,
    },
    {
      name: "a URL that has no scrape",
      args: () => ["-t", `${base}/x`, "-i", known],
      exitCode: 1,
      stderr: /\/x: .* \[TRACKER_SCRAPE_UNSUPPORTED\]/,
    },
  ];
  for (const { name, args, exitCode, stderr } of refusals) {
    test(`refuses ${name}`, async () => {
      const run = await record(["scrape", ...args()], { stdin: bytes });
      assert.equal(run.exitCode, exitCode);
      assert.match(run.stderr, stderr);
      assert.equal(run.stdout, "");
    });
  }
});
