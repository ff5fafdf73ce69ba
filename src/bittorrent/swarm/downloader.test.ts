import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Bitfield } from "#/base/bitfield.ts";
import { seededRandom } from "#/base/random.ts";
import { connect, createPeer } from "../../../test/recorded-peer.ts";
import { type Chunk, ChunkPool } from "../storage/index.ts";
import { BLOCK_LENGTH } from "./block.ts";
import { Downloader } from "./downloader.ts";
import type { Peer } from "./peer.ts";
import { type PeerConnection, reasonCode } from "./peer-connection.ts";
import { PiecePicker } from "./piece-picker.ts";
import { createCounters } from "./stats.ts";

const PIECE_COUNT = 4;
const BLOCKS = 6;
const PIECE_LENGTH = BLOCKS * BLOCK_LENGTH;
/** The last piece: two blocks, the second one shorter. */
const LAST_SIZE = BLOCK_LENGTH + 10;
const CHUNK_LENGTH = 4 * BLOCK_LENGTH;

interface Write {
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
  readonly chunk: Chunk;
}

function setUp(options: { readonly chunks?: number } = {}) {
  const have = new Bitfield(PIECE_COUNT);
  const pool = new ChunkPool({ bytes: (options.chunks ?? 16) * CHUNK_LENGTH, chunkLength: CHUNK_LENGTH });
  const pieceSize = (piece: number): number => (piece === PIECE_COUNT - 1 ? LAST_SIZE : PIECE_LENGTH);
  const picker = new PiecePicker({ have, pieceSize, chunkLength: CHUNK_LENGTH, random: seededRandom(1) });
  picker.isSequential = true;
  for (let piece = 0; piece < PIECE_COUNT; piece++) picker.order.add(piece);
  const connections = new Set<PeerConnection>();
  const writes: Write[] = [];
  const forgotten: number[] = [];
  const verified: number[] = [];
  const failed: { readonly piece: number; readonly contributors: readonly (Peer | undefined)[] }[] = [];
  const counters = createCounters();
  const time = { now: 0 };
  const downloader = new Downloader({
    picker,
    have,
    store: {
      writeChunk: (piece, begin, length, chunk) => writes.push({ piece, begin, length, chunk }),
      forgetPiece: (piece) => forgotten.push(piece),
      digestBlocks: () => {},
      read: () => {},
    },
    pool,
    pieceLength: PIECE_LENGTH,
    pieceSize,
    counters,
    connections: () => connections,
    now: () => time.now,
    pieceVerified: (piece) => {
      have.add(piece);
      verified.push(piece);
    },
    pieceFailed: (piece, contributors) => failed.push({ piece, contributors }),
  });
  const join = (peer: Peer = createPeer({ pieceCount: PIECE_COUNT })) => {
    const ends = connect(peer);
    connections.add(ends.connection);
    /** Asks for blocks. @returns those that were asked for, as [piece, block] */
    const asked = (): [number, number][] => {
      downloader.fill(ends.connection);
      return requests();
    };
    const requests = (): [number, number][] =>
      ends.link
        .messages()
        .flatMap((message) => (message.type === "request" ? [[message.piece, message.begin / BLOCK_LENGTH]] : []));
    const start = (piece: number, block: number, length = lengthOf(piece, block)): void =>
      downloader.blockStarted(ends.connection, piece, block * BLOCK_LENGTH, length);
    const lengthOf = (piece: number, block: number): number => Math.min(BLOCK_LENGTH, pieceSize(piece) - block * BLOCK_LENGTH);
    const send = (piece: number, block: number, fill = 1): void => {
      start(piece, block);
      downloader.blockArriving(ends.connection, new Uint8Array(lengthOf(piece, block)).fill(fill));
      downloader.blockEnded(ends.connection);
    };
    const leave = (): void => {
      connections.delete(ends.connection);
      downloader.releaseAll(ends.connection, false);
    };
    return { ...ends, peer, asked, requests, start, send, leave, codes: () => ends.closed.map(reasonCode) };
  };
  const assertEmpty = (): void => {
    assert.equal(pool.freeCount, pool.totalCount);
    assert.equal(picker.partials.size, 0);
  };
  return { downloader, pool, picker, have, writes, forgotten, verified, failed, counters, time, join, assertEmpty };
}

describe("asking", () => {
  test("goes block by block and piece by piece, in one write, up to the depth of the pipeline", () => {
    const { join, counters } = setUp();
    const { asked, link, connection } = join();
    const blocks = asked();
    assert.equal(blocks.length, connection.pipeline.depth);
    assert.deepEqual(blocks.slice(0, 8), [
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
      [0, 5],
      [1, 0],
      [1, 1],
    ]);
    assert.equal(counters.requestsSent, blocks.length);
    assert.equal(link.writes.length, 0);
  });

  test("the last block is asked for with its own length", () => {
    const { join, downloader } = setUp();
    const { connection, link } = join(createPeer({ pieceCount: PIECE_COUNT, has: [3] }));
    downloader.fill(connection);
    assert.deepEqual(link.messages(), [
      { type: "request", piece: 3, begin: 0, length: BLOCK_LENGTH },
      { type: "request", piece: 3, begin: BLOCK_LENGTH, length: 10 },
    ]);
  });

  test("does not happen while paused, choked or without interest", () => {
    const { join, downloader } = setUp();
    const { asked, peer } = join();
    downloader.isPaused = true;
    assert.deepEqual(asked(), []);
    downloader.isPaused = false;
    peer.isChoking = true;
    assert.deepEqual(asked(), []);
    peer.isChoking = false;
    peer.amInterested = false;
    assert.deepEqual(asked(), []);
    peer.amInterested = true;
    assert.equal(asked().length > 0, true);
  });

  test("stops when memory runs out, and goes on when some comes back", () => {
    const { join, pool, downloader, counters, writes } = setUp({ chunks: 3 });
    const { asked, send, requests } = join();
    const [a] = [join(), join()];
    assert.equal(asked().length, 6, "half of the memory");
    assert.deepEqual(a.asked(), [
      [1, 0],
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
    assert.ok(counters.memoryWaits > 0);
    assert.equal(pool.freeCount, 0);
    for (let block = 0; block < 4; block++) send(0, block);
    assert.equal(writes.length, 1);
    pool.give(writes[0]?.chunk as Chunk);
    downloader.fillStarved();
    assert.deepEqual([...requests(), ...a.requests()].slice(0, 2), [
      [1, 4],
      [1, 5],
    ]);
  });

  test("goes on with a piece whose memory is here when an older one has to wait for memory", () => {
    const { join } = setUp({ chunks: 2 });
    const [first, second] = [0, 1].map((piece) => join(createPeer({ pieceCount: PIECE_COUNT, has: [piece] })));
    assert.equal(first?.asked().length, 4);
    assert.equal(second?.asked().length, 4);
    second?.send(1, 0);
    second?.leave();
    assert.deepEqual(join().asked(), [
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
  });
});

describe("blocks that come", () => {
  test("go to the store chunk by chunk; after the check the piece is verified", () => {
    const { join, writes, downloader, verified, counters, pool } = setUp();
    const { asked, send } = join(createPeer({ pieceCount: PIECE_COUNT, has: [0] }));
    asked();
    for (const block of [5, 0, 2, 1, 3, 4]) send(0, block, block + 1);
    assert.deepEqual(
      writes.map(({ piece, begin, length }) => [piece, begin, length]),
      [
        [0, 0, CHUNK_LENGTH],
        [0, CHUNK_LENGTH, 2 * BLOCK_LENGTH],
      ],
    );
    assert.deepEqual(
      [0, 1, 2, 3].map((block) => writes[0]?.chunk.bytes[block * BLOCK_LENGTH]),
      [1, 2, 3, 4],
    );
    assert.equal(downloader.checkingCount, 1);
    for (const { chunk } of writes) pool.give(chunk);
    downloader.pieceChecked({ piece: 0, ok: true });
    assert.deepEqual([verified, counters.downloadedBytes, counters.verifiedPieces], [[0], PIECE_LENGTH, 1]);
  });

  test("of a piece that failed: it comes again, from one peer, and its contributors are told", () => {
    const { join, downloader, failed, writes, pool, counters, picker } = setUp();
    const [a, b] = [
      join(createPeer({ pieceCount: PIECE_COUNT, has: [3] })),
      join(createPeer({ pieceCount: PIECE_COUNT, has: [3] })),
    ];
    a.connection.pipeline.limit = 1;
    assert.deepEqual([a.asked(), b.asked()], [[[3, 0]], [[3, 1]]]);
    a.send(3, 0);
    b.send(3, 1);
    pool.give(writes[0]?.chunk as Chunk);
    downloader.pieceChecked({ piece: 3, ok: false, blockDigests: new Uint8Array(40) });
    assert.deepEqual(failed, [{ piece: 3, contributors: [a.peer, b.peer] }]);
    assert.deepEqual([counters.failedBytes, counters.hashFailures], [LAST_SIZE, 1]);
    assert.deepEqual(a.asked(), [[3, 0]]);
    assert.deepEqual(b.asked(), [], "the piece is a's alone");
    a.leave();
    assert.equal(b.asked().length, 2);
    assert.equal(picker.partials.size, 1);
  });

  test("a wrong length closes the connection", () => {
    const { join } = setUp();
    const { asked, start, codes } = join();
    asked();
    start(0, 0, BLOCK_LENGTH - 1);
    assert.deepEqual(codes(), ["PEER_BAD_INDEX"]);
  });

  test("unasked ones are counted and dropped, and too many close the connection", () => {
    const { join, counters } = setUp();
    const { send, codes } = join();
    for (let i = 0; i < 64; i++) send(2, 0);
    assert.deepEqual([counters.unsolicitedBytes, codes()], [64 * BLOCK_LENGTH, []]);
    send(2, 0);
    assert.deepEqual(codes(), ["PEER_UNSOLICITED"]);
  });

  test("those whose requests were taken back are not held against the peer", () => {
    const { join, downloader, counters } = setUp();
    const { asked, send, connection, codes } = join();
    const blocks = asked();
    downloader.releaseAll(connection, true);
    for (const [piece, block] of blocks) send(piece, block);
    assert.deepEqual([counters.redundantBytes > 0, counters.unsolicitedBytes, codes()], [true, 0, []]);
  });

  test("from two connections at once: the first that is whole counts, the other gets a cancel", () => {
    const { join, downloader, counters, picker } = setUp();
    const [a, b] = [
      join(createPeer({ pieceCount: PIECE_COUNT, has: [3] })),
      join(createPeer({ pieceCount: PIECE_COUNT, has: [3] })),
    ];
    for (const piece of [0, 1, 2]) picker.order.delete(piece);
    a.asked();
    assert.deepEqual(b.asked(), [
      [3, 1],
      [3, 0],
    ]);
    a.start(3, 0);
    downloader.blockArriving(a.connection, new Uint8Array(100).fill(7));
    b.send(3, 0, 2);
    assert.deepEqual(
      a.link.messages().map(({ type }) => type),
      ["cancel"],
    );
    downloader.blockArriving(a.connection, new Uint8Array(BLOCK_LENGTH - 100).fill(7));
    downloader.blockEnded(a.connection);
    const partial = picker.partials.get(3);
    assert.deepEqual(partial?.blockMemory(0), new Uint8Array(BLOCK_LENGTH).fill(2));
    assert.equal(partial?.contributors[0], b.peer);
    assert.equal(counters.downloadedBytes, BLOCK_LENGTH);
  });
});

describe("a place that no block of the torrent begins at", () => {
  // Block 6 of piece 0 would be block 0 of piece 1 if places were counted through.
  test("in a reject leaves the requests of other pieces alone", () => {
    const { join, downloader } = setUp();
    const { asked, connection, leave } = join();
    const { length } = asked();
    for (const begin of [PIECE_LENGTH, 1, BLOCK_LENGTH / 2]) downloader.rejected(connection, 0, begin);
    downloader.rejected(connection, PIECE_COUNT, 0);
    downloader.rejected(connection, 3, LAST_SIZE);
    assert.equal(connection.pending.size, length);
    leave();
  });

  test("in a block is unasked for", () => {
    const { join, downloader, counters, picker } = setUp();
    const { asked, connection, leave, codes } = join();
    asked();
    for (const begin of [PIECE_LENGTH, 5]) {
      downloader.blockStarted(connection, 0, begin, BLOCK_LENGTH);
      downloader.blockArriving(connection, new Uint8Array(BLOCK_LENGTH));
      downloader.blockEnded(connection);
    }
    assert.deepEqual([counters.unsolicitedBytes, counters.downloadedBytes, codes()], [2 * BLOCK_LENGTH, 0, []]);
    for (const partial of picker.partials.values()) assert.equal(partial.receivedCount, 0);
    leave();
  });
});

describe("what is given up", () => {
  test("a peer that leaves in the middle of a block frees its blocks and memory, and what is here stays", () => {
    const { join, assertEmpty, picker, pool, downloader } = setUp();
    const { asked, start, connection, leave } = join();
    asked();
    start(0, 0);
    downloader.blockArriving(connection, new Uint8Array(100));
    leave();
    assertEmpty();
    assert.equal(picker.order.size, PIECE_COUNT);
    const other = join();
    other.asked();
    other.send(0, 1);
    other.leave();
    assert.deepEqual([picker.partials.size, pool.totalCount - pool.freeCount], [1, 1]);
  });

  test("everything: memory comes back, the store forgets, and the counters tell", () => {
    const { join, downloader, assertEmpty, forgotten, counters } = setUp();
    const { asked, send, link } = join();
    asked();
    send(0, 0);
    downloader.abandonAll(false);
    assertEmpty();
    assert.deepEqual(forgotten.includes(0), true);
    assert.deepEqual([counters.downloadedBytes, counters.abandonedBytes], [BLOCK_LENGTH, BLOCK_LENGTH]);
    assert.equal(link.messages().length, 0);
  });

  test("a piece that is refused is not asked of that peer again while others may be", () => {
    const { join, downloader } = setUp();
    const { asked, connection, requests } = join(createPeer({ pieceCount: PIECE_COUNT, has: [0, 3] }));
    asked();
    for (let block = 0; block < BLOCKS; block++) downloader.rejected(connection, 0, block * BLOCK_LENGTH);
    downloader.fill(connection);
    assert.deepEqual(requests(), []);
    assert.equal(join().asked()[0]?.[0], 0);
  });

  test("a connection without blocks for 30 s is snubbed: others get its blocks", () => {
    const { join, downloader, time, counters } = setUp();
    const [silent, other] = [join(), join()];
    silent.connection.pipeline.limit = 6;
    assert.equal(silent.asked().length, 6);
    time.now = 30_000;
    downloader.tick();
    assert.equal(silent.peer.isSnubbed, false);
    other.requests();
    time.now = 30_001;
    downloader.tick();
    assert.deepEqual(
      [silent.peer.isSnubbed, silent.connection.pending.size <= 1, counters.requestTimeouts >= 6],
      [true, true, true],
    );
  });
});
