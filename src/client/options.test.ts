import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "#/base/clock.ts";
import { silentLogger } from "#/base/log.ts";
import { systemRandom } from "#/base/random.ts";
import { Client } from "./client.ts";
import { ClientError } from "./errors.ts";
import { type ClientOptions, requireRate, resolveClientOptions } from "./options.ts";

describe("options of a client", () => {
  test("what is left out gets its default", () => {
    const { ports, hosts, ...rest } = resolveClientOptions({});
    assert.deepEqual(hosts, ["0.0.0.0", "::"]);
    assert.equal(ports[0], 6881);
    assert.equal(ports.at(-1), 0, "any port when the usual ones are taken");
    assert.deepEqual(rest, {
      output: ".",
      stateFolder: undefined,
      maxPeers: 400,
      maxPeersPerTorrent: 120,
      maxHalfOpen: 40,
      downRate: Number.POSITIVE_INFINITY,
      upRate: Number.POSITIVE_INFINITY,
      bufferBytes: 40 * 1024 * 1024,
      diskThreads: undefined,
      logger: silentLogger,
      clock: systemClock,
      random: systemRandom,
    });
  });

  test("what is given is taken", () => {
    const given = { hosts: [], ports: [0], output: "/there", stateFolder: "/state", maxPeers: 1, maxPeersPerTorrent: 65_535 };
    const more = { maxHalfOpen: 1000, downRate: 0.5, upRate: Number.POSITIVE_INFINITY, bufferBytes: 2 ** 20, diskThreads: 64 };
    const config = resolveClientOptions({ ...given, ...more });
    assert.deepEqual(config, { ...given, ...more, logger: silentLogger, clock: systemClock, random: systemRandom });
  });

  const refused: Record<string, readonly ClientOptions[]> = {
    hosts: [{ hosts: ["localhost"] }, { hosts: ["127.0.0.1", ""] }, { hosts: ["[::1]"] }, { hosts: ["127.0.0.1:80"] }],
    ports: [{ ports: [] }, { ports: [-1] }, { ports: [65_536] }, { ports: [1.5] }, { ports: [0, Number.NaN] }],
    maxPeers: [{ maxPeers: 0 }, { maxPeers: 2.5 }, { maxPeers: Number.POSITIVE_INFINITY }],
    maxPeersPerTorrent: [{ maxPeersPerTorrent: 0 }, { maxPeersPerTorrent: 65_536 }],
    maxHalfOpen: [{ maxHalfOpen: 0 }, { maxHalfOpen: 1001 }],
    downRate: [{ downRate: 0 }, { downRate: -1 }, { downRate: Number.NaN }],
    upRate: [{ upRate: 0 }, { upRate: Number.NEGATIVE_INFINITY }],
    bufferBytes: [{ bufferBytes: 2 ** 20 - 1 }, { bufferBytes: 2 ** 31 + 1 }],
    diskThreads: [{ diskThreads: 0 }, { diskThreads: 65 }],
  };
  for (const [option, cases] of Object.entries(refused)) {
    for (const options of cases) {
      test(`refused: ${option} ${JSON.stringify(Object.values(options)[0])} (${String(Object.values(options)[0])})`, async () => {
        const isRight = (error: unknown): boolean => {
          assert.ok(error instanceof ClientError);
          assert.equal(error.code, "CLIENT_BAD_OPTION");
          assert.equal(error.fault, "local");
          assert.equal(error.details["option"], option);
          assert.ok(error.message.startsWith(`${option}: `), error.message);
          return true;
        };
        assert.throws(() => resolveClientOptions(options), isRight);
        await assert.rejects(Client.open(options), isRight);
      });
    }
  }

  test("no rate is no limit", () => {
    assert.equal(requireRate("downRate", undefined), Number.POSITIVE_INFINITY);
    assert.equal(requireRate("downRate", 1), 1);
  });
});
