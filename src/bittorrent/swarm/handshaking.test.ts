import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RecordingLink } from "../../../test/recorded-peer.ts";
import { encodeHandshake, type Handshake } from "../wire/index.ts";
import { peerError } from "./errors.ts";
import { HANDSHAKE_TIMEOUT_MS, Handshaking } from "./handshaking.ts";
import type { LinkListener } from "./link.ts";
import { reasonCode } from "./peer-connection.ts";

const infoHash = new Uint8Array(20).fill(1);
const peerId = new Uint8Array(20).fill(2);
const theirs = encodeHandshake({ infoHash, peerId, fast: true });

class Next implements LinkListener {
  readonly bytes: number[] = [];
  closes = 0;
  onBytes(bytes: Uint8Array): void {
    this.bytes.push(...bytes);
  }
  onClose(): void {
    this.closes++;
  }
}

function begin(answer: LinkListener | Error, send?: Uint8Array) {
  const link = new RecordingLink();
  const handshakes: Handshake[] = [];
  const failures: string[] = [];
  const handshaking = new Handshaking({
    link,
    now: 1000,
    ...(send === undefined ? {} : { send }),
    onHandshake: (handshake) => {
      handshakes.push(handshake);
      return answer;
    },
    onFailed: (reason) => failures.push(reasonCode(reason)),
  });
  handshaking.start();
  return { link, handshaking, handshakes, failures };
}

describe("Handshaking", () => {
  test("a dialled link sends ours at once, an accepted one waits", () => {
    assert.deepEqual(begin(new Next(), theirs).link.writes, [theirs]);
    assert.deepEqual(begin(new Next()).link.writes, []);
  });

  test("takes the handshake byte by byte, and passes on all that follows", () => {
    const next = new Next();
    const { handshaking, handshakes, failures, link } = begin(next);
    for (const byte of theirs) {
      assert.equal(handshaking.isOpen, true);
      handshaking.onBytes(Uint8Array.of(byte));
    }
    assert.equal(handshaking.isOpen, false);
    assert.deepEqual([handshakes.length, handshakes[0]?.fast, handshakes[0]?.peerId], [1, true, peerId]);
    handshaking.onBytes(Uint8Array.of(7, 8));
    handshaking.onClose(undefined);
    assert.deepEqual([next.bytes, next.closes, failures, link.isClosed], [[7, 8], 1, [], false]);
  });

  test("passes on what comes in one chunk with the handshake", () => {
    const next = new Next();
    const { handshaking } = begin(next);
    handshaking.onBytes(Uint8Array.of(...theirs, 5, 6));
    assert.deepEqual(next.bytes, [5, 6]);
  });

  test("another protocol is refused with the first byte that differs", () => {
    const { handshaking, failures, link } = begin(new Next());
    handshaking.onBytes(Uint8Array.of(19, 0x42, 0x69));
    assert.deepEqual(failures, []);
    handshaking.onBytes(Uint8Array.of(0x54));
    assert.deepEqual([failures, link.isClosed, handshaking.isOpen], [["WIRE_BAD_HANDSHAKE"], true, false]);
    handshaking.onBytes(theirs);
    handshaking.onClose(undefined);
    assert.equal(failures.length, 1, "it fails once");
  });

  test("a refusal closes the link with its reason", () => {
    const { handshaking, failures, link } = begin(peerError("PEER_BANNED"));
    handshaking.onBytes(theirs);
    assert.deepEqual([failures, link.isClosed], [["PEER_BANNED"], true]);
  });

  test("time runs out for one that stalls, not for one that has finished", () => {
    const stalled = begin(new Next());
    stalled.handshaking.onBytes(theirs.subarray(0, 67));
    stalled.handshaking.tick(1000 + HANDSHAKE_TIMEOUT_MS);
    assert.deepEqual(stalled.failures, []);
    stalled.handshaking.tick(1001 + HANDSHAKE_TIMEOUT_MS);
    assert.deepEqual([stalled.failures, stalled.link.isClosed], [["PEER_HANDSHAKE_TIMEOUT"], true]);
    const done = begin(new Next());
    done.handshaking.onBytes(theirs);
    done.handshaking.tick(1e9);
    assert.deepEqual([done.failures, done.link.isClosed], [[], false]);
  });

  test("a link that closes before the end of the handshake has failed", () => {
    const { handshaking, failures } = begin(new Next());
    handshaking.onBytes(theirs.subarray(0, 20));
    handshaking.onClose(new Error("reset"));
    assert.deepEqual(failures, ["PEER_CLOSED"]);
  });
});
