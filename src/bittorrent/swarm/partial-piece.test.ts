import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { connect, createPeer } from "../../../test/recorded-peer.ts";
import { ChunkPool } from "../storage/index.ts";
import { BLOCK_LENGTH } from "./block.ts";
import { PartialPiece } from "./partial-piece.ts";
import type { PeerConnection } from "./peer-connection.ts";

const BLOCKS_PER_CHUNK = 3;
const CHUNK = BLOCKS_PER_CHUNK * BLOCK_LENGTH;
const connections = [1, 2, 3].map(() => connect(createPeer({})).connection);

describe("PartialPiece", () => {
  test("a piece of 7 blocks in chunks of 3, the last block and the last chunk shorter", () => {
    const partial = new PartialPiece(4, 6 * BLOCK_LENGTH + 100, CHUNK);
    assert.deepEqual([partial.blockCount, partial.chunks.length, partial.freeCount], [7, 3, 7]);
    assert.deepEqual([partial.blockLength(5), partial.blockLength(6)], [BLOCK_LENGTH, 100]);
    assert.deepEqual(
      [0, 1, 2].map((index) => partial.chunkSize(index)),
      [CHUNK, CHUNK, 100],
    );
    assert.deepEqual(
      [0, 2, 3, 6].map((block) => partial.chunkOf(block)),
      [0, 0, 1, 2],
    );
  });

  test("blocks lie in their chunk one after another, and have no memory without it", () => {
    const pool = new ChunkPool({ bytes: CHUNK, chunkLength: CHUNK });
    const partial = new PartialPiece(0, 4 * BLOCK_LENGTH + 5, CHUNK);
    partial.chunks[1] = pool.tryTake();
    assert.equal(partial.blockMemory(0), undefined);
    assert.deepEqual([partial.blockMemory(3)?.byteOffset, partial.blockMemory(3)?.byteLength], [0, BLOCK_LENGTH]);
    assert.deepEqual([partial.blockMemory(4)?.byteOffset, partial.blockMemory(4)?.byteLength], [BLOCK_LENGTH, 5]);
  });

  test("one connection at a time writes a block straight to its memory", () => {
    const [a, b] = connections as [PeerConnection, PeerConnection];
    const partial = new PartialPiece(0, CHUNK, CHUNK);
    partial.markRequested(0, a);
    partial.markRequested(0, b);
    assert.deepEqual([partial.tryClaim(0, a), partial.tryClaim(0, b), partial.isWriter(0, a)], [true, false, true]);
    partial.markReleased(0, a);
    assert.deepEqual([partial.isWriter(0, a), partial.tryClaim(0, b)], [false, true]);
    partial.markReceived(0, b.peer);
    assert.equal(partial.isWriter(0, b), false);
  });

  test("after a hash failure one peer has the piece to itself, as long as it can serve it", () => {
    const [owner, other] = [createPeer({}), createPeer({})];
    const partial = new PartialPiece(0, CHUNK, CHUNK);
    assert.equal(partial.mayServe(other), true);
    partial.exclusiveTo = owner;
    assert.deepEqual([partial.mayServe(owner), partial.mayServe(other)], [true, false]);
    owner.isChoking = true;
    assert.equal(partial.mayServe(other), true);
    owner.isChoking = false;
    owner.isSnubbed = true;
    assert.equal(partial.mayServe(other), true);
  });
});

/** The same as a PartialPiece, by lists and searches. */
class Twin {
  readonly requesters: PeerConnection[][];
  readonly received: boolean[];

  constructor(blocks: number) {
    this.requesters = Array.from({ length: blocks }, () => []);
    this.received = new Array(blocks).fill(false);
  }

  isFree(block: number): boolean {
    return !this.received[block] && this.requesters[block]?.length === 0;
  }

  blocksOf(chunk: number): number[] {
    return [...this.received.keys()].filter((block) => Math.floor(block / BLOCKS_PER_CHUNK) === chunk);
  }
}

test("counts agree with a naive twin after any sequence of requests, releases, receipts and forgotten chunks", () => {
  const step = fc.record({
    type: fc.constantFrom("request", "request", "release", "receive", "forget" as const),
    block: fc.nat(30),
    by: fc.nat(2),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 11 }),
      fc.integer({ min: 1, max: BLOCK_LENGTH }),
      fc.array(step, { maxLength: 120 }),
      (blocks, last, steps) => {
        const size = (blocks - 1) * BLOCK_LENGTH + last;
        const partial = new PartialPiece(0, size, CHUNK);
        const twin = new Twin(blocks);
        for (const { type, block: number, by } of steps) {
          const block = number % blocks;
          const connection = connections[by] as PeerConnection;
          const asked = twin.requesters[block] as PeerConnection[];
          const chunk = partial.chunkOf(block);
          if (type === "request" && !twin.received[block] && !asked.includes(connection)) {
            partial.markRequested(block, connection);
            asked.push(connection);
          } else if (type === "release") {
            partial.markReleased(block, connection);
            if (asked.includes(connection)) asked.splice(asked.indexOf(connection), 1);
          } else if (type === "receive" && asked.includes(connection)) {
            twin.received[block] = true;
            asked.length = 0;
            const isWhole = partial.markReceived(block, connection.peer);
            assert.equal(
              isWhole,
              twin.blocksOf(chunk).every((each) => twin.received[each]),
            );
          } else if (type === "forget" && partial.isChunkQuiet(chunk)) {
            const lost = twin.blocksOf(chunk).filter((each) => twin.received[each]);
            assert.equal(
              partial.forgetChunk(chunk),
              lost.reduce((sum, each) => sum + partial.blockLength(each), 0),
            );
            for (const each of lost) twin.received[each] = false;
          }
          assertSame(partial, twin);
        }
      },
    ),
  );
});

function assertSame(partial: PartialPiece, twin: Twin): void {
  const blocks = [...twin.received.keys()];
  const free = blocks.filter((block) => twin.isFree(block));
  const received = blocks.filter((block) => twin.received[block]);
  assert.equal(partial.freeCount, free.length);
  assert.equal(partial.receivedCount, received.length);
  assert.equal(
    partial.receivedBytes,
    received.reduce((sum, block) => sum + partial.blockLength(block), 0),
  );
  assert.equal(partial.isComplete, received.length === blocks.length);
  assert.equal(partial.isUntouched, free.length === blocks.length);
  assert.equal(partial.nextFree(), free[0]);
  for (const block of blocks) {
    assert.equal(partial.isReceived(block), twin.received[block]);
    assert.deepEqual(new Set(partial.requesters(block)), new Set(twin.requesters[block]));
    assert.equal(partial.requesterCount(block), twin.requesters[block]?.length);
    assert.equal(partial.contributors[block] !== undefined, twin.received[block]);
  }
  for (let chunk = 0; chunk < partial.chunks.length; chunk++) {
    const own = twin.blocksOf(chunk);
    assert.equal(
      partial.isChunkIdle(chunk),
      own.every((block) => twin.isFree(block)),
    );
    assert.equal(
      partial.isChunkQuiet(chunk),
      own.every((block) => twin.requesters[block]?.length === 0),
    );
    partial.reserved[chunk] = 1;
    assert.equal(
      partial.nextFreeHeld(),
      own.find((block) => twin.isFree(block)),
    );
    partial.reserved[chunk] = 0;
  }
}
