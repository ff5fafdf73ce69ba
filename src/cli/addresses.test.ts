import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseListenAddress, parsePeerAddress, parseTrackerUrl, parseWebSeedUrl } from "./addresses.ts";
import { CliError } from "./errors.ts";

const refused = (code: string) => (error: unknown) => error instanceof CliError && error.code === code;

describe("peer addresses", () => {
  test("are host:port, and IPv6 in brackets", () => {
    assert.deepEqual(parsePeerAddress("192.0.2.1:6881"), { host: "192.0.2.1", port: 6881 });
    assert.deepEqual(parsePeerAddress("[2001:DB8:0::1]:1"), { host: "2001:db8::1", port: 1 });
    assert.deepEqual(parsePeerAddress("seed.example:80"), { host: "seed.example", port: 80 });
  });
  for (const text of ["", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "2001:db8::1", "[192.0.2.1]:80", "a b:80", ":80"]) {
    test(`"${text}" is refused`, () => assert.throws(() => parsePeerAddress(text), refused("CLI_BAD_ADDRESS")));
  }
  test("of SCION are told apart from mistakes", () => {
    for (const text of [
      "1-ff00:0:110,[192.0.2.1]:6881",
      "1-ff00:0:110,192.0.2.1:6881",
      "64-2:0:9,[2001:db8::1]:6881",
      "1-64512,[127.0.0.1]:80",
    ]) {
      assert.throws(() => parsePeerAddress(text), refused("CLI_SCION_UNSUPPORTED"));
      assert.throws(() => parseListenAddress(text), refused("CLI_SCION_UNSUPPORTED"));
    }
  });
});

describe("listening addresses", () => {
  test("may leave out the port", () => {
    assert.deepEqual(["127.0.0.1", "::1", "[::1]", "127.0.0.1:7000", "[::]:7000"].map(parseListenAddress), [
      { host: "127.0.0.1", port: undefined },
      { host: "::1", port: undefined },
      { host: "::1", port: undefined },
      { host: "127.0.0.1", port: 7000 },
      { host: "::", port: 7000 },
    ]);
  });
  test("may leave the port to the system", () => {
    assert.deepEqual(parseListenAddress("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  });
  test("are no names", () => assert.throws(() => parseListenAddress("localhost:80"), refused("CLI_BAD_ADDRESS")));
});

describe("URLs", () => {
  test("of trackers are http, https or udp", () => {
    for (const text of ["http://t.example/announce", "https://t.example/announce", "udp://t.example:6969"])
      assert.equal(parseTrackerUrl(text), text);
    for (const text of ["", "t.example", "ftp://t.example/", "http://", "wss://t.example"]) {
      assert.throws(() => parseTrackerUrl(text), refused("CLI_BAD_URL"));
    }
    assert.throws(() => parseTrackerUrl("udp://[1-ff00:0:110,192.0.2.1]:80"), refused("CLI_SCION_UNSUPPORTED"));
  });
  test("of web seeds are http, https or ftp", () => {
    assert.equal(parseWebSeedUrl("ftp://f.example/x"), "ftp://f.example/x");
    assert.throws(() => parseWebSeedUrl("udp://f.example:1"), refused("CLI_BAD_URL"));
  });
});
