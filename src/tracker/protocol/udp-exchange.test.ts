import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes } from "#/base/bytes.ts";
import { seededRandom } from "#/base/random.ts";
import { CONNECTION_ID_LIFETIME_MS, UdpConnectionId, UdpExchange, type UdpQuestion } from "./udp-exchange.ts";
import { decodeUdpRequest, encodeUdpReply, type UdpReply, type UdpRequest } from "./udp-packets.ts";

const scrape: UdpQuestion = (connectionId, transactionId) => ({
  type: "scrape",
  connectionId,
  transactionId,
  infoHashes: [new Uint8Array(20)],
});
const entries = [{ seeders: 1, completed: 2, leechers: 3 }];

/** An exchange on a clock that only `advance` moves. */
function start(connection = new UdpConnectionId(), now = 0) {
  const exchange = new UdpExchange(scrape, { family: 4, connection, random: seededRandom(1) });
  let time = now;
  return {
    exchange,
    sent: (): UdpRequest | undefined => {
      const datagram = exchange.pollTransmit(time);
      return datagram === undefined ? undefined : decodeUdpRequest(datagram);
    },
    receive: (reply: UdpReply): void => exchange.receive(encodeUdpReply(reply, 4), time),
    advance: (): number => {
      time = exchange.nextTimeout() ?? assert.fail("it has ended");
      return time;
    },
    wait: (ms: number): void => {
      time += ms;
    },
  };
}

function failure(exchange: UdpExchange): string | undefined {
  const event = exchange.pollEvent();
  return event?.type === "failed" ? event.error.code : undefined;
}

describe("an exchange with a UDP tracker", () => {
  test("connects, asks with the id it was given, and is answered", () => {
    const { exchange, sent, receive } = start();
    const connect = sent();
    assert.equal(connect?.type, "connect");
    assert.equal(sent(), undefined);
    receive({ type: "connect", transactionId: connect.transactionId, connectionId: 99n });
    const asked = sent();
    assert.ok(asked?.type === "scrape");
    assert.equal(asked.connectionId, 99n);
    assert.notEqual(asked.transactionId, connect.transactionId);
    receive({ type: "scrape", transactionId: asked.transactionId, entries });
    assert.deepEqual(exchange.pollEvent(), {
      type: "answered",
      answer: { type: "scrape", transactionId: asked.transactionId, entries },
    });
    assert.equal(exchange.nextTimeout(), undefined);
    assert.equal(sent(), undefined);
  });

  test("sends lost datagrams again after 15 · 2^n seconds, nine in all, then gives up", () => {
    const { exchange, sent, advance } = start();
    const times: number[] = [];
    const ids = new Set<number>();
    for (let now = 0; ; now = advance()) {
      const request = sent();
      if (request === undefined) break;
      times.push(now / 1000);
      ids.add(request.transactionId);
    }
    assert.deepEqual(times, [0, 15, 45, 105, 225, 465, 945, 1905, 3825]);
    assert.equal(ids.size, 1, "a late answer to an earlier copy counts");
    assert.equal(failure(exchange), "TRACKER_TIMEOUT");
  });

  test("asks for a new connection id when the old one ran out while the answer was lost", () => {
    const { sent, receive, advance } = start();
    receive({ type: "connect", transactionId: sent()?.transactionId ?? 0, connectionId: 1n });
    const types: (string | undefined)[] = [];
    const times: number[] = [];
    for (let i = 0, now = 0; i < 5; i++, now = advance()) {
      types.push(sent()?.type);
      times.push(now / 1000);
    }
    assert.deepEqual(types, ["scrape", "scrape", "scrape", "connect", "connect"]);
    assert.deepEqual(times, [0, 15, 45, 105, 225]);
  });

  test("uses a connection id for a minute, and no longer", () => {
    const connection = new UdpConnectionId();
    connection.set(7n, 0);
    assert.equal(start(connection, CONNECTION_ID_LIFETIME_MS - 1).sent()?.type, "scrape");
    assert.equal(start(connection, CONNECTION_ID_LIFETIME_MS).sent()?.type, "connect");
  });

  test("ignores other transaction ids and runts", () => {
    const { exchange, sent, receive } = start();
    const connect = sent();
    assert.ok(connect !== undefined);
    receive({ type: "connect", transactionId: connect.transactionId ^ 1, connectionId: 99n });
    exchange.receive(new Uint8Array(7), 0);
    assert.equal(exchange.pollEvent(), undefined);
    assert.equal(sent(), undefined);
  });

  test("connects anew when the tracker does not know an id of an earlier exchange, once", () => {
    const connection = new UdpConnectionId();
    connection.set(7n, 0);
    const { exchange, sent, receive } = start(connection);
    const stale = sent();
    assert.ok(stale?.type === "scrape" && stale.connectionId === 7n);
    receive({ type: "error", transactionId: stale.transactionId, message: "bad connection" });
    const connect = sent();
    assert.equal(connect?.type, "connect");
    receive({ type: "connect", transactionId: connect.transactionId, connectionId: 8n });
    const asked = sent();
    assert.ok(asked?.type === "scrape" && asked.connectionId === 8n);
    receive({ type: "error", transactionId: asked.transactionId, message: "go away" });
    const event = exchange.pollEvent();
    assert.ok(event?.type === "failed");
    assert.equal(event.error.code, "TRACKER_FAILURE");
    assert.equal(event.error.details["reason"], "go away");
  });

  test("fails at once when the answer is broken, or answers something else", () => {
    const broken = start();
    const id = broken.sent()?.transactionId ?? 0;
    broken.exchange.receive(encodeUdpReply({ type: "connect", transactionId: id, connectionId: 1n }, 4).subarray(0, 15), 0);
    assert.equal(failure(broken.exchange), "TRACKER_BAD_ANSWER");

    const other = start();
    other.receive({ type: "scrape", transactionId: other.sent()?.transactionId ?? 0, entries });
    assert.equal(failure(other.exchange), "TRACKER_BAD_ANSWER");
  });

  test("does not take a datagram after the end for anything", () => {
    const { exchange, sent, receive } = start();
    const id = sent()?.transactionId ?? 0;
    receive({ type: "error", transactionId: id, message: "no" });
    const before = exchange.pollEvent();
    receive({ type: "connect", transactionId: id, connectionId: 1n });
    exchange.receive(concatBytes([]), 0);
    assert.equal(exchange.pollEvent(), before);
  });
});
