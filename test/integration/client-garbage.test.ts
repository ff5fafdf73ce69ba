import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "#/base/bytes.ts";
import { keepAlive } from "#/bittorrent/wire/index.ts";
import type { Client, Torrent } from "#/client/index.ts";
import { addressOf, openClient, openSeeder, Sample, temporaryFolder, until } from "./bed.ts";
import { RawPeer } from "./raw-peer.ts";

const timeout = 30_000;
const sample = new Sample({ length: 400_000 });

/** Lengths of a message, most of them short, with its id. */
const frame = fc
  .record({
    id: fc.oneof(fc.nat(24), fc.nat(255)),
    body: fc.uint8Array({ maxLength: 80 }),
    lie: fc.option(fc.nat(2 ** 32 - 1), { freq: 9 }),
  })
  .map(({ id, body, lie }) => {
    const out = Buffer.alloc(5 + body.byteLength);
    out.writeUInt32BE(lie ?? 1 + body.byteLength);
    out[4] = id;
    out.set(body, 5);
    return out;
  });
const index = fc.oneof(fc.nat(20), fc.nat(2 ** 32 - 1));
/** have, request, piece, cancel, suggest, reject, allowed fast: with numbers that are near what the torrent has. */
const numbers = fc
  .record({ id: fc.constantFrom(4, 6, 7, 8, 0x0d, 0x10, 0x11), fields: fc.array(index, { minLength: 1, maxLength: 4 }) })
  .map(({ id, fields }) => {
    const out = Buffer.alloc(5 + 4 * fields.length);
    out.writeUInt32BE(1 + 4 * fields.length);
    out[4] = id;
    for (const [i, field] of fields.entries()) out.writeUInt32BE(field, 5 + 4 * i);
    return out;
  });
const bare = fc.constantFrom(...[0, 1, 2, 3, 0x0e, 0x0f].map((id) => Buffer.of(0, 0, 0, 1, id)), Buffer.from(keepAlive));
const conversation = fc.array(fc.oneof(frame, numbers, bare), { minLength: 1, maxLength: 20 }).map((parts) => concatBytes(parts));

/** Sends the bytes after a handshake and resolves with the code of the reason for which the peer was let go. */
async function talk(t: TestContext, client: Client, torrent: Torrent, bytes: Uint8Array): Promise<string> {
  const peer = await RawPeer.dial(t, addressOf(client), { sample });
  await peer.until(() => peer.hasHandshake);
  const closed = once(torrent, "peerClosed") as Promise<[{ readonly code: string; readonly reason: Error }]>;
  peer.socket.end(bytes);
  const [{ code, reason }] = await closed;
  assert.match(code, /^(PEER|WIRE|BENCODE)_/, String(reason.stack));
  await peer.closed();
  return code;
}

async function openTargets(t: TestContext): Promise<readonly (readonly [Client, Torrent])[]> {
  const seeder = await openSeeder(t, sample);
  const client = await openClient(t, { output: await temporaryFolder(t) });
  const torrent = await client.add(sample.bytes);
  await torrent.whenChecked();
  return [
    [seeder.client, seeder.torrent],
    [client, torrent],
  ];
}

async function assertStillWorks(targets: readonly (readonly [Client, Torrent])[]): Promise<void> {
  const [[seeder], [client, torrent]] = targets as [[Client, Torrent], [Client, Torrent]];
  torrent.addPeers([addressOf(seeder)]);
  await torrent.whenComplete();
  await sample.assertIn(torrent.folder);
  await until(() => client.stats().peers === 0);
}

describe("peers that send garbage are let go with a coded reason, and the torrent goes on", { timeout }, () => {
  test("random bytes after a handshake", async (t) => {
    const targets = await openTargets(t);
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(bytes, async (garbage) => {
        for (const [client, torrent] of targets) await talk(t, client, torrent, garbage);
      }),
      { numRuns: 100 },
    );
    await assertStillWorks(targets);
  });

  test("messages with random contents", async (t) => {
    const targets = await openTargets(t);
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(conversation, async (garbage) => {
        for (const [client, torrent] of targets) codes.add(await talk(t, client, torrent, garbage));
      }),
      { numRuns: 200 },
    );
    assert.ok(codes.size > 4, `only ${[...codes].join()}`);
    await assertStillWorks(targets);
  });

  test("random bytes instead of a handshake", async (t) => {
    const targets = await openTargets(t);
    const start = fc.constantFrom("", "\x13", "\x13BitTorrent protocol", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01");
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 200 }), async (text, garbage) => {
        for (const [client] of targets) {
          const peer = await RawPeer.connect(t, addressOf(client), { sample });
          peer.socket.end(concatBytes([Buffer.from(text, "latin1"), garbage]));
          await peer.closed();
        }
      }),
      { numRuns: 60 },
    );
    for (const [client] of targets) {
      await until(() => client.stats().handshakes === 0);
      assert.equal(client.stats().counters.handshakesFailed, 60);
    }
    await assertStillWorks(targets);
  });

  const cases: readonly { readonly name: string; readonly code: string; readonly bytes: Uint8Array }[] = [
    { name: "a message beyond any limit", code: "WIRE_MESSAGE_TOO_LONG", bytes: Buffer.of(0xff, 0xff, 0xff, 0xff, 5) },
    { name: "a block of 1 MiB", code: "WIRE_MESSAGE_TOO_LONG", bytes: Buffer.of(0, 0x10, 0, 9, 7, 0, 0, 0, 0, 0, 0, 0, 0) },
    { name: "a piece that the torrent does not have", code: "PEER_BAD_INDEX", bytes: Buffer.of(0, 0, 0, 5, 4, 0, 0, 1, 0) },
    { name: "a request beyond the end of a piece", code: "PEER_BAD_REQUEST", bytes: request(0, 32_768 - 1, 16_384) },
    { name: "a request of 1 MiB", code: "PEER_BAD_REQUEST", bytes: request(0, 0, 2 ** 20) },
    { name: "a request of nothing", code: "PEER_BAD_REQUEST", bytes: request(0, 0, 0) },
    { name: "a bitfield of the wrong length", code: "PEER_BAD_BITFIELD", bytes: Buffer.of(0, 0, 0, 2, 5, 0xff) },
    { name: "a bitfield with bits beyond the end", code: "PEER_BAD_BITFIELD", bytes: Buffer.of(0, 0, 0, 3, 5, 0xff, 0xff) },
    { name: "a request of the wrong length", code: "WIRE_BAD_LENGTH", bytes: Buffer.of(0, 0, 0, 5, 6, 0, 0, 0, 0) },
  ];
  for (const { name, code, bytes } of cases) {
    test(`${name}: ${code}`, async (t) => {
      const seeder = await openSeeder(t, sample);
      assert.equal(await talk(t, seeder.client, seeder.torrent, bytes), code);
    });
  }
});

function request(piece: number, begin: number, length: number): Uint8Array {
  const out = Buffer.alloc(17);
  out.writeUInt32BE(13);
  out[4] = 6;
  for (const [i, field] of [piece, begin, length].entries()) out.writeUInt32BE(field, 5 + 4 * i);
  return out;
}
