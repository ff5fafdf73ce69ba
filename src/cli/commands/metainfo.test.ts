import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { record } from "../../../test/cli-recorder.ts";
import { makeTorrent } from "../../../test/cli-torrents.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-metainfo-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const many = makeTorrent(
  { "readme.txt": 10, "sub/CON": 40_000, "sub/empty": 0 },
  {
    name: "trip",
    outer: {
      announce: "http://a.example/announce",
      "announce-list": [["http://a.example/announce", "udp://b.example:6969"], ["http://c.example/announce"]],
      "url-list": "http://w.example/files/",
      comment: "line\u001b[2Jone",
      "created by": "a test",
      "creation date": 1_700_000_000,
    },
    info: { private: 1, source: "SRC" },
  },
);

describe("freshet metainfo", () => {
  test("prints what a torrent says to people", async () => {
    const { exitCode, stdout, stderr } = await record(["metainfo", file("trip.torrent", many.bytes)]);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
    assert.equal(
      stdout.replace(/[0-9a-f]{40}/, "HASH"),
      `Name          trip
Info hash     HASH
Size          39.1 KiB (40,010 bytes)
Pieces        3 of 16.0 KiB
Private       yes
Created       2023-11-14T22:13:20.000Z
Created by    a test
Comment       line\ufffd[2Jone
Source        SRC
Trackers      http://a.example/announce (tier 1)
              udp://b.example:6969 (tier 1)
              http://c.example/announce (tier 2)
Web seeds     http://w.example/files/
Files         1       10 B  readme.txt
              2   39.1 KiB  sub/CON (saved as sub/_CON)
              3        0 B  sub/empty
`,
    );
  });

  test("prints one document with --json, from standard input, and with -t", async () => {
    const { exitCode, stdout } = await record(["metainfo", "-", "--json"], { stdin: many.bytes });
    assert.equal(exitCode, 0);
    const { infoHash, pieces, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    assert.match(infoHash as string, /^[0-9a-f]{40}$/);
    assert.equal((pieces as readonly string[]).length, 3);
    for (const piece of pieces as readonly string[]) assert.match(piece, /^[0-9a-f]{40}$/);
    assert.deepEqual(rest, {
      name: "trip",
      totalLength: 40_010,
      pieceLength: 16_384,
      pieceCount: 3,
      private: true,
      singleFile: false,
      files: [
        { number: 1, path: ["readme.txt"], savedAs: "trip/readme.txt", length: 10, offset: 0 },
        { number: 2, path: ["sub", "CON"], savedAs: "trip/sub/_CON", length: 40_000, offset: 10 },
        { number: 3, path: ["sub", "empty"], savedAs: "trip/sub/empty", length: 0, offset: 40_010 },
      ],
      trackers: [["http://a.example/announce", "udp://b.example:6969"], ["http://c.example/announce"]],
      webSeeds: ["http://w.example/files/"],
      httpSeeds: [],
      nodes: [],
      comment: "line\u001b[2Jone",
      createdBy: "a test",
      creationDate: "2023-11-14T22:13:20.000Z",
      source: "SRC",
      issues: [],
    });
    assert.equal((await record(["metainfo", "-t", file("t.torrent", many.bytes), "--json"])).stdout, stdout);
  });

  describe("refuses", () => {
    const one = makeTorrent({ "a.bin": 100 }).bytes;
    const refusals: readonly {
      readonly name: string;
      readonly content?: string | Uint8Array;
      readonly args?: readonly string[];
      readonly exitCode: number;
      readonly stderr: RegExp;
    }[] = [
      { name: "no torrent", args: [], exitCode: 2, stderr: /no torrent is given \[CLI_MISSING_ARGUMENT\]/ },
      { name: "two torrents", args: ["a", "-t", "b"], exitCode: 2, stderr: /a and b \[CLI_EXCESS_ARGUMENT\]/ },
      {
        name: "an absent file",
        args: [join(folder, "absent.torrent")],
        exitCode: 1,
        stderr: /absent\.torrent: no such file or folder \[CLI_NOT_FOUND\]/,
      },
      {
        name: "a folder",
        args: [folder],
        exitCode: 1,
        stderr: /freshet-metainfo-\w+: is a folder, not a file \[CLI_IS_A_FOLDER\]/,
      },
      {
        name: "a magnet link",
        args: ["magnet:?xt=urn:btih:00"],
        exitCode: 2,
        stderr: /magnet:\?xt=urn:btih:00: .* \[CLI_MAGNET_UNSUPPORTED\]/,
      },
      {
        name: "a magnet link as -m",
        args: ["-m", "magnet:?xt=1"],
        exitCode: 2,
        stderr: /magnet:\?xt=1: .* \[CLI_MAGNET_UNSUPPORTED\]/,
      },
      { name: "an empty file", content: "", exitCode: 1, stderr: /bad\.torrent: not a torrent: it is empty \[CLI_NOT_A_TORRENT\]/ },
      { name: "some text", content: "hello", exitCode: 1, stderr: /bad\.torrent: not a torrent \[CLI_NOT_A_TORRENT\]\n$/ },
      {
        name: "a web page",
        content: "\n<!DOCTYPE html>",
        exitCode: 1,
        stderr: /bad\.torrent: not a torrent \[CLI_NOT_A_TORRENT\]\nhint: it looks like a web page/,
      },
      {
        name: "text that begins like a torrent",
        content: "dogs and cats",
        exitCode: 1,
        stderr: /bad\.torrent: not a torrent: .* \[BENCODE_BAD_KEY\]/,
      },
      {
        name: "a truncated torrent",
        content: one.subarray(0, 60),
        exitCode: 1,
        stderr: /bad\.torrent: truncated torrent: .* \[BENCODE_TRUNCATED\]\nhint: fetch/,
      },
      {
        name: "a dictionary that is no torrent",
        content: "d1:ai1ee",
        exitCode: 1,
        stderr: /bad\.torrent: .* \[METAINFO_MISSING\]/,
      },
      {
        name: "hashes that do not fit",
        content: makeTorrent({ a: 9 }, { info: { length: 99_999 } }).bytes,
        exitCode: 1,
        stderr: /bad\.torrent: .* \[METAINFO_PIECES_MISMATCH\]/,
      },
    ];
    for (const { name, content, args, exitCode, stderr } of refusals) {
      test(name, async () => {
        const run = await record(["metainfo", ...(args ?? [file("bad.torrent", content ?? "")]), "--json"]);
        assert.equal(run.exitCode, exitCode);
        assert.match(run.stderr, stderr);
        assert.equal(run.stdout, "");
      });
    }
  });

  test("refuses a file that is larger than any torrent, without reading it", async () => {
    const path = file("huge.torrent", "d");
    truncateSync(path, 2 ** 28 + 1);
    const { exitCode, stderr } = await record(["metainfo", path]);
    assert.deepEqual([exitCode, stderr], [1, `freshet: ${path}: larger than the 256 MiB that are read [CLI_TOO_LARGE]\n`]);
  });

  describe("reads a URL", () => {
    const serve = async (listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> => {
      const server = createServer(listener);
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
      try {
        await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x.torrent`);
      } finally {
        server.closeAllConnections();
        await server[Symbol.asyncDispose]();
      }
    };

    test("of a torrent", () =>
      serve(
        (_request, response) => void response.end(many.bytes),
        async (url) => assert.match((await record(["metainfo", url])).stdout, /^Name {10}trip$/m),
      ));

    test("and says what the server answered", () =>
      serve(
        (_request, response) => void response.writeHead(404).end(),
        async (url) => {
          const { exitCode, stderr } = await record(["metainfo", url]);
          assert.equal(exitCode, 1);
          assert.equal(stderr, `freshet: ${url}: the server answers 404 Not Found [CLI_FETCH_FAILED]\n`);
        },
      ));

    test("and says when nobody is there", async () => {
      let gone = "";
      await serve(
        () => {},
        async (url) => {
          gone = url;
        },
      );
      const { exitCode, stderr } = await record(["metainfo", gone]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /x\.torrent: .*ECONNREFUSED.* \[CLI_FETCH_FAILED\]/);
    });

    test("and stops at Ctrl-C", async () => {
      const controller = new AbortController();
      await serve(
        () => controller.abort(),
        async (url) => assert.equal((await record(["metainfo", url], { signal: controller.signal })).exitCode, 130),
      );
    });
  });
});
