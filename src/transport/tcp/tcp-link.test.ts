import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { LinkRecord, linkPair } from "./tcp-fixture.ts";
import { readInto, TcpLink } from "./tcp-link.ts";

const MEBIBYTE = 1024 * 1024;

/** Bytes in which no part looks like another. */
function numbered(length: number): Uint8Array {
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  for (let at = 0; at + 4 <= length; at += 4) view.setUint32(at, at);
  return out;
}

/** Bytes there and back `rounds` times: long enough for the event loop to have delivered what it would deliver. */
async function roundTrips(link: TcpLink, record: LinkRecord, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const want = record.receivedBytes + 1;
    link.write(Uint8Array.of(round));
    await record.hasReceived(want);
    await nextTurn();
  }
}

describe("TCP links", () => {
  for (const host of ["127.0.0.1", "::1"]) {
    test(`carry bytes both ways over ${host}`, async (t) => {
      const { dialled, accepted } = await linkPair(t, host);
      const [a, b] = [new LinkRecord(), new LinkRecord()];
      dialled.start(a);
      accepted.start(b);
      const [toB, toA] = [numbered(3 * MEBIBYTE), numbered(MEBIBYTE).reverse()];
      dialled.write(toB);
      accepted.write(toA);
      await Promise.all([a.hasReceived(toA.byteLength), b.hasReceived(toB.byteLength)]);
      assert.ok(Buffer.from(toB).equals(b.bytes));
      assert.ok(Buffer.from(toA).equals(a.bytes));
      assert.equal(dialled.host, host);
      assert.equal(accepted.host, host);
      assert.equal(dialled.transport, "tcp");
    });
  }

  test("deliver nothing before start and lose nothing of what came until then", async (t) => {
    const [early, other] = [await linkPair(t), await linkPair(t)];
    const sent = numbered(200_000);
    const { promise: isSent, resolve } = Promise.withResolvers<void>();
    early.dialled.write(sent, resolve);
    early.accepted.write(sent);
    await isSent;
    const record = new LinkRecord();
    other.dialled.start(record);
    other.accepted.start({ onBytes: (bytes) => other.accepted.write(bytes.slice()), onClose: () => {} });
    await roundTrips(other.dialled, record, 10);
    const [a, b] = [new LinkRecord(), new LinkRecord()];
    early.dialled.start(a);
    early.accepted.start(b);
    await Promise.all([a.hasReceived(sent.byteLength), b.hasReceived(sent.byteLength)]);
    assert.ok(Buffer.from(sent).equals(a.bytes));
    assert.ok(Buffer.from(sent).equals(b.bytes));
  });

  test("an end that came before start is told after it", async (t) => {
    const { dialled, accepted } = await linkPair(t);
    const record = new LinkRecord();
    dialled.write(Uint8Array.of(1, 2, 3), () => dialled.close());
    accepted.start(record);
    await record.hasClosed();
    assert.deepEqual([...record.bytes], [1, 2, 3]);
  });

  for (const side of ["dialled", "accepted"] as const) {
    test(`a paused ${side} link is delivered nothing, slows its sender, and gets all of it when it reads again`, async (t) => {
      const [pair, other] = [await linkPair(t), await linkPair(t)];
      const reader = pair[side];
      const writer = side === "dialled" ? pair.accepted : pair.dialled;
      const record = new LinkRecord();
      record.onChunk = () => {
        record.onChunk = undefined;
        reader.pauseReading();
      };
      reader.start(record);
      writer.start(new LinkRecord());
      const sent = numbered(MEBIBYTE);
      const count = 32;
      let written = 0;
      for (let i = 0; i < count; i++) writer.write(sent, () => written++);
      await record.hasReceived(1);
      const whenPaused = record.receivedBytes;
      const echo = new LinkRecord();
      other.dialled.start(echo);
      other.accepted.start({ onBytes: (bytes) => other.accepted.write(bytes.slice()), onClose: () => {} });
      await roundTrips(other.dialled, echo, 50);
      assert.equal(record.receivedBytes, whenPaused);
      assert.ok(writer.queuedBytes > 8 * MEBIBYTE, `${writer.queuedBytes} bytes wait at the sender`);
      assert.ok(written < count);
      reader.resumeReading();
      await record.hasReceived(count * sent.byteLength);
      while (written < count) await nextTurn();
      assert.equal(writer.queuedBytes, 0);
      assert.ok(record.bytes.subarray(-MEBIBYTE).every((byte, i) => byte === sent[i]));
    });
  }

  for (const side of ["dialled", "accepted"] as const) {
    test(`closing the ${side} link tells both ends once`, async (t) => {
      const pair = await linkPair(t);
      const [a, b] = [new LinkRecord(), new LinkRecord()];
      pair.dialled.start(a);
      pair.accepted.start(b);
      pair[side].close();
      pair[side].close();
      await Promise.all([a.hasClosed(), b.hasClosed()]);
      await nextTurn();
      assert.deepEqual([a.closes, b.closes], [[undefined], [undefined]]);
    });
  }

  test("a link closed in the middle of a delivery is delivered no more", async (t) => {
    const { dialled, accepted } = await linkPair(t);
    const record = new LinkRecord();
    record.onChunk = () => accepted.close();
    accepted.start(record);
    dialled.start(new LinkRecord());
    dialled.write(numbered(8 * MEBIBYTE));
    await record.hasClosed();
    assert.equal(record.chunks.length, 1);
  });

  test("what is written to a closed link is dropped and reported as sent, later", async (t) => {
    const { dialled, accepted } = await linkPair(t);
    const [a, b] = [new LinkRecord(), new LinkRecord()];
    dialled.start(a);
    accepted.start(b);
    const calls: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    dialled.close();
    dialled.write(Uint8Array.of(1), () => {
      calls.push("sent");
      resolve();
    });
    calls.push("written");
    await promise;
    assert.deepEqual(calls, ["written", "sent"]);
    await b.hasClosed();
    assert.equal(b.receivedBytes, 0);
  });

  test("what waits in a link that is closed is reported as sent, so that its memory comes back", async (t) => {
    const { dialled, accepted } = await linkPair(t);
    const record = new LinkRecord();
    dialled.start(record);
    let sent = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    for (let i = 0; i < 32; i++) dialled.write(numbered(MEBIBYTE), () => ++sent === 32 && resolve());
    accepted.close();
    await promise;
    await record.hasClosed();
    assert.equal(sent, 32);
    assert.equal(record.closes.length, 1);
  });

  test("a connection that is reset ends with what the system said", async (t) => {
    const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [Socket];
    const target = { deliver: (): void => {} };
    const link = new TcpLink(socket, target);
    const record = new LinkRecord();
    link.start(record);
    client.resetAndDestroy();
    await record.hasClosed();
    assert.equal((record.closes[0] as NodeJS.ErrnoException).code, "ECONNRESET");
  });

  test("an IPv4 address that the system writes in IPv6 form comes out as IPv4", async (t) => {
    const server = createServer({ pauseOnConnect: true }).listen(0, "::");
    await once(server, "listening");
    t.after(() => server.close());
    const target = { deliver: (): void => {} };
    const { port } = server.address() as AddressInfo;
    const client = connect({ host: "127.0.0.1", port, onread: readInto(target) });
    t.after(() => client.destroy());
    const [socket] = (await once(server, "connection")) as [Socket];
    assert.equal(socket.remoteAddress, "::ffff:127.0.0.1");
    const link = new TcpLink(socket, target);
    assert.equal(link.host, "127.0.0.1");
    assert.equal(link.address, `127.0.0.1:${client.localPort}`);
    link.close();
  });
});
