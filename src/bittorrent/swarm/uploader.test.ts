import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Bitfield } from "#/base/bitfield.ts";
import { connect, createPeer } from "../../../test/recorded-peer.ts";
import { BLOCK_LENGTH } from "./block.ts";
import { type PeerConnection, reasonCode } from "./peer-connection.ts";
import { createCounters } from "./stats.ts";
import { RateLimit, TokenBucket } from "./token-bucket.ts";
import { REQUEST_LIMIT, Uploader, UploadMemory } from "./uploader.ts";

const PIECE_COUNT = 8;
const BLOCKS = 32;
const PIECE_LENGTH = BLOCKS * BLOCK_LENGTH;
const LAST_SIZE = 100;

interface Read {
  readonly piece: number;
  readonly begin: number;
  readonly lengths: readonly number[];
  readonly finish: (error?: Error) => void;
}

function setUp(
  options: { readonly fast?: boolean; readonly rate?: number; readonly memory?: number; readonly have?: number } = {},
) {
  const have = new Bitfield(PIECE_COUNT);
  for (let piece = 0; piece < (options.have ?? PIECE_COUNT); piece++) have.add(piece);
  const reads: Read[] = [];
  const counters = createCounters();
  const memory = new UploadMemory(options.memory);
  const failures: Error[] = [];
  const time = { now: 1000 };
  let sentBytes = 0;
  const uploader = new Uploader({
    have,
    store: {
      writeChunk: () => assert.fail("an uploader writes nothing"),
      forgetPiece: () => {},
      digestBlocks: () => {},
      read: (piece, begin, views, done) => {
        const finish = (error?: Error): void => {
          for (const view of views) view.fill(piece + 1);
          done(error);
        };
        reads.push({ piece, begin, lengths: views.map(({ byteLength }) => byteLength), finish });
      },
    },
    memory,
    limit: new RateLimit([new TokenBucket(options.rate ?? Number.POSITIVE_INFINITY)]),
    pieceLength: PIECE_LENGTH,
    pieceSize: (piece) => (piece === PIECE_COUNT - 1 ? LAST_SIZE : PIECE_LENGTH),
    counters,
    now: () => time.now,
    blocksSent: (_, bytes) => {
      sentBytes += bytes;
    },
    readFailed: (error) => failures.push(error),
  });
  const peer = createPeer({ pieceCount: PIECE_COUNT, fast: options.fast ?? true, has: [] });
  const ends = connect(peer);
  const request = (piece: number, block: number, length = BLOCK_LENGTH, connection: PeerConnection = ends.connection): void =>
    uploader.requested(connection, piece, block * BLOCK_LENGTH, length);
  const codes = (): string[] => ends.closed.map(reasonCode);
  return { uploader, reads, counters, memory, failures, time, peer, request, codes, sent: () => sentBytes, ...ends };
}

describe("requests", () => {
  test("for blocks that follow one another become one read and one write with the headers in between", () => {
    const { uploader, reads, request, connection, link, sent, memory } = setUp();
    for (let block = 0; block < 5; block++) request(2, block);
    uploader.pump(connection);
    assert.deepEqual(
      reads.map(({ piece, begin, lengths }) => ({ piece, begin, lengths })),
      [{ piece: 2, begin: 0, lengths: new Array(5).fill(BLOCK_LENGTH) }],
    );
    reads[0]?.finish();
    assert.equal(link.writes.length, 1);
    const messages = link.messages();
    assert.deepEqual(
      messages.map((message) =>
        message.type === "piece" ? [message.piece, message.begin, message.block[0], message.block.byteLength] : [],
      ),
      [0, 1, 2, 3, 4].map((block) => [2, block * BLOCK_LENGTH, 3, BLOCK_LENGTH]),
    );
    assert.equal(sent(), 5 * BLOCK_LENGTH);
    assert.deepEqual([memory.usedBytes, connection.readingBytes], [0, 0]);
  });

  test("that do not follow one another, or cross into the next piece, are read apart", () => {
    const { uploader, reads, request, connection } = setUp();
    for (const [piece, block] of [
      [0, 30],
      [0, 31],
      [1, 0],
      [1, 2],
    ] as const) {
      request(piece, block);
    }
    uploader.pump(connection);
    assert.deepEqual(
      reads.map(({ piece, begin, lengths }) => [piece, begin / BLOCK_LENGTH, lengths.length]),
      [
        [0, 30, 2],
        [1, 0, 1],
        [1, 2, 1],
      ],
    );
  });

  test("for the short end of the last piece, and for other lengths than 16 KiB, are answered as asked", () => {
    const { uploader, reads, request, connection } = setUp();
    request(7, 0, LAST_SIZE);
    request(1, 0, 1);
    request(1, 4, 131_072);
    uploader.pump(connection);
    assert.deepEqual(
      reads.map(({ lengths }) => lengths),
      [[LAST_SIZE], [1], [131_072]],
    );
  });

  const bad: readonly {
    readonly name: string;
    readonly ask: (request: (piece: number, block: number, length?: number) => void) => void;
  }[] = [
    { name: "beyond the last piece", ask: (request) => request(PIECE_COUNT, 0) },
    { name: "beyond the end of a piece", ask: (request) => request(0, BLOCKS - 1, BLOCK_LENGTH + 1) },
    { name: "beyond the end of the last piece", ask: (request) => request(7, 0, LAST_SIZE + 1) },
    { name: "for nothing", ask: (request) => request(0, 0, 0) },
    { name: "for more than 128 KiB", ask: (request) => request(0, 0, 131_073) },
  ];
  for (const { name, ask } of bad) {
    test(`${name} close the connection`, () => {
      const { request, codes } = setUp();
      ask(request);
      assert.deepEqual(codes(), ["PEER_BAD_REQUEST"]);
    });
  }

  test("of a choked peer are rejected, except for its allowed-fast pieces", () => {
    const { uploader, reads, request, connection, peer, link, counters } = setUp();
    peer.amChoking = true;
    peer.allowedFastToThem.add(1);
    request(0, 0);
    request(1, 0);
    uploader.pump(connection);
    assert.deepEqual(link.messages(), [{ type: "reject", piece: 0, begin: 0, length: BLOCK_LENGTH }]);
    assert.deepEqual(
      reads.map(({ piece }) => piece),
      [1],
    );
    assert.equal(counters.requestsRejected, 1);
  });

  test("for a piece that is not here are rejected; without the fast extension nothing is said", () => {
    for (const fast of [true, false]) {
      const { request, link, counters } = setUp({ have: 3, fast });
      request(3, 0);
      assert.equal(link.messages().length, fast ? 1 : 0);
      assert.equal(counters.requestsRejected, 1);
    }
  });

  test("beyond the limit that we announced are rejected, and a flood closes the connection", () => {
    const { request, connection, link, codes } = setUp();
    const ask = (count: number): void => {
      for (let i = 0; i < count; i++) request(Math.floor(i / BLOCKS) % 7, i % BLOCKS, 1 + Math.floor(i / BLOCKS / 7));
    };
    for (let i = 0; i < REQUEST_LIMIT; i++) connection.requested.set(-1 - i, 1);
    ask(3);
    assert.equal(connection.requested.size, REQUEST_LIMIT);
    assert.deepEqual(
      link.messages().map(({ type }) => type),
      ["reject", "reject", "reject"],
    );
    ask(2 * REQUEST_LIMIT);
    assert.deepEqual(codes(), ["PEER_REQUEST_FLOOD"]);
  });
});

describe("a request that waits already", () => {
  test("is answered once and not rejected; repeating it without end is a flood", () => {
    const { request, connection, link, codes } = setUp();
    for (let i = 0; i <= 2 * REQUEST_LIMIT; i++) request(0, 0);
    assert.deepEqual([connection.requested.size, link.messages(), codes()], [1, [], []]);
    request(0, 0);
    assert.deepEqual(codes(), ["PEER_REQUEST_FLOOD"]);
  });
});

describe("a cancel", () => {
  test("takes a waiting request back, which is said to a fast peer; a later one changes nothing", () => {
    const { uploader, request, connection, link, reads, counters } = setUp();
    request(0, 0);
    request(0, 1);
    uploader.cancelled(connection, 0, 0, BLOCK_LENGTH);
    assert.deepEqual(link.messages(), [{ type: "reject", piece: 0, begin: 0, length: BLOCK_LENGTH }]);
    uploader.pump(connection);
    assert.deepEqual(reads[0]?.lengths, [BLOCK_LENGTH]);
    uploader.cancelled(connection, 0, BLOCK_LENGTH, BLOCK_LENGTH);
    assert.deepEqual([link.messages(), counters.cancelsReceived], [[], 2]);
  });
});

describe("choking", () => {
  test("rejects what waits, except for allowed-fast pieces", () => {
    const { uploader, request, connection, peer, link } = setUp();
    peer.allowedFastToThem.add(1);
    request(0, 3);
    request(1, 0);
    uploader.rejectAll(connection);
    assert.deepEqual(link.messages(), [{ type: "reject", piece: 0, begin: 3 * BLOCK_LENGTH, length: BLOCK_LENGTH }]);
    assert.deepEqual([...connection.requested.keys()], [PIECE_LENGTH]);
  });
});

describe("what is read ahead", () => {
  test("is bounded while the peer does not read, and goes on when it does", () => {
    const { uploader, reads, request, connection, link, memory } = setUp();
    link.isBlocked = true;
    for (let block = 0; block < BLOCKS; block++) for (const piece of [0, 1, 2]) request(piece, block);
    uploader.pump(connection);
    for (let i = 0; i < reads.length; i++) reads[i]?.finish();
    const first = reads.length;
    assert.ok(memory.usedBytes > 0 && memory.usedBytes < 1_000_000, `${memory.usedBytes}`);
    link.flush();
    assert.ok(reads.length > first);
  });

  test("keeps to the memory of the client: requests wait in their order and are answered later", () => {
    const { uploader, reads, request, connection, memory } = setUp({ memory: 4 * (BLOCK_LENGTH + 13) });
    for (const block of [0, 1, 2, 3, 10, 11]) request(0, block);
    uploader.pump(connection);
    assert.equal(reads.length, 1);
    assert.deepEqual([...connection.requested.keys()], [10 * BLOCK_LENGTH, 11 * BLOCK_LENGTH]);
    assert.equal(memory.usedBytes, 4 * (BLOCK_LENGTH + 13));
    reads[0]?.finish();
    assert.deepEqual(
      reads.map(({ begin }) => begin / BLOCK_LENGTH),
      [0, 10],
    );
  });

  test("keeps to the limit of the rate", () => {
    const { uploader, reads, request, connection, time } = setUp({ rate: 100_000 });
    for (let block = 0; block < BLOCKS; block++) request(0, block);
    const pumpFor = (ms: number): number => {
      const before = reads.length;
      for (const end = time.now + ms; time.now < end; time.now += 50) {
        uploader.pump(connection);
        for (const read of reads.splice(before)) {
          read.finish();
          reads.push({ ...read });
        }
      }
      return connection.requested.size;
    };
    const left = pumpFor(2000);
    const sent = BLOCKS - left;
    assert.ok(Math.abs(sent * BLOCK_LENGTH - 200_000) <= 2 * BLOCK_LENGTH, `${sent} blocks in 2 s`);
  });

  test("is given back when the read fails or the peer has left", () => {
    const failed = setUp();
    failed.request(0, 0);
    failed.uploader.pump(failed.connection);
    failed.reads[0]?.finish(new Error("no file"));
    assert.deepEqual([failed.failures.length, failed.memory.usedBytes, failed.link.writes.length], [1, 0, 0]);
    const left = setUp();
    left.request(0, 0);
    left.uploader.pump(left.connection);
    left.connection.close(new Error("bye"));
    left.reads[0]?.finish();
    assert.deepEqual([left.failures.length, left.memory.usedBytes, left.link.writes.length, left.sent()], [0, 0, 0, 0]);
  });
});

test("UploadMemory never gives out more than its limit, and uses buffers again", () => {
  const memory = new UploadMemory(600_000);
  const first = memory.tryTake(250_000) as Uint8Array;
  assert.ok(memory.tryTake(250_000) !== undefined);
  assert.equal(memory.tryTake(250_000), undefined);
  memory.give(first);
  assert.equal(memory.usedBytes, 250_000);
  const again = memory.tryTake(200_000) as Uint8Array;
  assert.equal(again.buffer, first.buffer);
  assert.equal(again.byteLength, 200_000);
});
