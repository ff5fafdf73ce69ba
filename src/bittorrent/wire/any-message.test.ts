import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { messageId, type WireMessage } from "./messages.ts";

const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 16384, 2 ** 31, 0xffff_ffff));

/** Any message that can be encoded, with blocks of 1 to 400 bytes and bodies of at most 600. */
export const anyMessage: fc.Arbitrary<WireMessage> = fc
  .oneof(
    fc.record({
      type: fc.constantFrom("choke", "unchoke", "interested", "notInterested", "haveAll", "haveNone"),
    }),
    fc.record({ type: fc.constantFrom("have", "suggest", "allowedFast"), piece: uint32 }),
    fc.record({ type: fc.constantFrom("request", "cancel", "reject"), piece: uint32, begin: uint32, length: uint32 }),
    fc.record({ type: fc.constant("bitfield"), bits: fc.uint8Array({ maxLength: 590 }) }),
    fc.record({
      type: fc.constant("piece"),
      piece: uint32,
      begin: uint32,
      block: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    }),
    fc.record({ type: fc.constant("port"), port: fc.integer({ min: 0, max: 0xffff }) }),
    fc.record({ type: fc.constant("extended"), id: fc.nat(255), payload: fc.uint8Array({ maxLength: 590 }) }),
  )
  .map((message) => ({ ...message })); // a plain object, as decoders make it

test("random messages are of every type", () => {
  const types = new Set(fc.sample(anyMessage, { numRuns: 1000, seed: 1 }).map((message) => message.type));
  assert.deepEqual([...types].sort(), Object.keys(messageId).sort());
});
