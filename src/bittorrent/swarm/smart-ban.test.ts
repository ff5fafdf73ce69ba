import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createPeer } from "../../../test/recorded-peer.ts";
import { SmartBan } from "./smart-ban.ts";

/** Digests of a copy, told apart by a number for each block. */
const digests = (...blocks: readonly number[]): Uint8Array =>
  Uint8Array.from(blocks.flatMap((block) => new Array<number>(20).fill(block)));
const [honest, liar, third] = [createPeer({}), createPeer({}), createPeer({})];

describe("SmartBan", () => {
  test("a peer that sent all of a failed copy is the liar at once", () => {
    const ban = new SmartBan();
    assert.equal(ban.pieceFailed(0, [liar, liar, liar], digests(9, 9, 9)), liar);
    assert.equal(ban.isSuspected(0), false);
  });

  test("of a shared copy, those whose blocks differ from the good ones", () => {
    const ban = new SmartBan();
    assert.equal(ban.pieceFailed(0, [honest, liar, third], digests(1, 9, 3)), undefined);
    assert.equal(ban.isSuspected(0), true);
    assert.deepEqual(ban.pieceVerified(0, digests(1, 2, 3)), [liar]);
    assert.equal(ban.isSuspected(0), false);
    assert.deepEqual(ban.pieceVerified(0, digests(1, 2, 3)), [], "it is forgotten then");
  });

  test("several failed copies name several liars, each once", () => {
    const ban = new SmartBan();
    ban.pieceFailed(0, [honest, liar], digests(1, 9));
    ban.pieceFailed(0, [third, liar], digests(8, 7));
    assert.deepEqual(ban.pieceVerified(0, digests(1, 2)), [liar, third]);
  });

  test("a block of unknown origin accuses nobody", () => {
    const ban = new SmartBan();
    assert.equal(ban.pieceFailed(0, [undefined, undefined], digests(9, 9)), undefined);
    ban.pieceFailed(0, [undefined, honest], digests(9, 2));
    assert.deepEqual(ban.pieceVerified(0, digests(1, 2)), []);
  });

  test("without digests nobody is accused", () => {
    const ban = new SmartBan();
    assert.equal(ban.pieceFailed(0, [honest, liar], undefined), undefined);
    assert.equal(ban.isSuspected(0), false);
    ban.pieceFailed(0, [honest, liar], digests(1, 9));
    assert.deepEqual(ban.pieceVerified(0, undefined), []);
  });

  test("what is remembered is bounded: the piece that failed longest ago is forgotten", () => {
    const ban = new SmartBan();
    for (let piece = 0; piece < 70; piece++) ban.pieceFailed(piece, [honest, liar], digests(1, 9));
    assert.deepEqual([ban.isSuspected(5), ban.isSuspected(6), ban.isSuspected(69)], [false, true, true]);
    for (let copy = 0; copy < 10; copy++) ban.pieceFailed(69, [copy === 0 ? third : honest, liar], digests(copy === 0 ? 8 : 1, 9));
    assert.deepEqual(ban.pieceVerified(69, digests(1, 2)), [liar], "of a piece only the last copies are kept");
  });
});
