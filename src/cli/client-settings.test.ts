import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "#/base/log.ts";
import { clientOptions, type NetworkOptions, peerAddresses } from "./client-settings.ts";
import { CliError } from "./errors.ts";
import { configFolder, stateFolder } from "./folders.ts";

const io = { env: { XDG_STATE_HOME: "/state" }, signal: new AbortController().signal };
const fixed = { logger: silentLogger, signal: io.signal };
const resolve = (options: NetworkOptions) => clientOptions(options, io, silentLogger);

describe("options of the client", () => {
  test("are its defaults when nothing is set", () => assert.deepEqual(resolve({}), { ...fixed, stateFolder: "/state/freshet" }));

  test("are taken over", () => {
    assert.deepEqual(
      resolve({ listen: [{ host: "::1", port: undefined }], port: [7000, 7002], maxPeers: 9, down: 10, up: 20, state: "/s" }),
      {
        ...fixed,
        hosts: ["::1"],
        ports: [7000, 7001, 7002],
        maxPeers: 9,
        maxPeersPerTorrent: 9,
        downRate: 10,
        upRate: 20,
        stateFolder: "/s",
      },
    );
  });

  test("have no limit for a rate of 0", () => assert.deepEqual(resolve({ down: 0, up: 0 }), resolve({})));

  test("take the port of an address to listen at", () => {
    assert.deepEqual(
      resolve({
        listen: [
          { host: "127.0.0.1", port: 7000 },
          { host: "::1", port: undefined },
        ],
        port: 1,
      }).ports,
      [7000],
    );
    assert.throws(
      () =>
        resolve({
          listen: [
            { host: "127.0.0.1", port: 1 },
            { host: "::1", port: 2 },
          ],
        }),
      (error) => error instanceof CliError && error.code === "CLI_BAD_VALUE",
    );
  });
});

test("names of peers are looked up", async () => {
  assert.deepEqual(await peerAddresses([{ host: "::1", port: 1 }]), ["[::1]:1"]);
  assert.ok((await peerAddresses([{ host: "localhost", port: 2 }])).every((address) => /^(127\.0\.0\.1|\[::1\]):2$/.test(address)));
});

test("settings and state are where the platform keeps them", () => {
  const env = { HOME: "/home/u", APPDATA: "C:\\R", LOCALAPPDATA: "C:\\L" };
  assert.deepEqual(
    [configFolder(env, "linux"), stateFolder(env, "linux")],
    ["/home/u/.config/freshet", "/home/u/.local/state/freshet"],
  );
  const library = "/home/u/Library/Application Support/freshet";
  assert.deepEqual([configFolder(env, "darwin"), stateFolder(env, "darwin")], [library, library]);
  assert.deepEqual([configFolder(env, "win32"), stateFolder(env, "win32")], ["C:\\R\\freshet", "C:\\L\\freshet"]);
  const xdg = { ...env, XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "relative" };
  assert.deepEqual([configFolder(xdg, "linux"), stateFolder(xdg, "linux")], ["/c/freshet", "/home/u/.local/state/freshet"]);
});
