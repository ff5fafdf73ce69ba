import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseTrackerUrl, scrapeUrlOf } from "./tracker-url.ts";

describe("the URL of a tracker", () => {
  const read = [
    { text: "http://t.example/announce", parts: ["http", "t.example", 80, "/announce", ""] },
    { text: "HTTPS://T.Example:8443/a/announce?k=1#x", parts: ["https", "t.example", 8443, "/a/announce", "?k=1"] },
    { text: "udp://t.example:6969/announce", parts: ["udp", "t.example", 6969, "/announce", ""] },
    { text: " udp://t.example:443/\n", parts: ["udp", "t.example", 443, "", ""] },
    { text: "udp://t.example:80", parts: ["udp", "t.example", 80, "", ""] },
    { text: "udp://[2001:db8::1]:6969", parts: ["udp", "2001:db8::1", 6969, "", ""] },
    { text: "http://[::1]:1/announce", parts: ["http", "::1", 1, "/announce", ""] },
    { text: "http://0x7f.1/announce", parts: ["http", "127.0.0.1", 80, "/announce", ""] },
    { text: "udp://2130706433:1/announce", parts: ["udp", "127.0.0.1", 1, "/announce", ""] },
  ];
  for (const { text, parts } of read) {
    test(`${text.trim()} is taken apart`, () => {
      const { protocol, host, port, path, query } = parseTrackerUrl(text);
      assert.deepEqual([protocol, host, port, path, query], parts);
    });
  }

  test("gives its user and password", () => {
    assert.equal(parseTrackerUrl("http://a%40b:c%zz@t.example/announce").auth, "a@b:c%zz");
    assert.equal(parseTrackerUrl("http://t.example/announce").auth, undefined);
  });

  test("may be relative to another", () => {
    const base = parseTrackerUrl("https://t.example/a/announce?x=1");
    assert.equal(parseTrackerUrl("../b?y=2", base).href, "https://t.example/b?y=2");
    assert.equal(parseTrackerUrl("//u.example/c", base).href, "https://u.example/c");
  });

  const refused = [
    { text: "", code: "TRACKER_BAD_URL" },
    { text: "announce", code: "TRACKER_BAD_URL" },
    { text: "http://", code: "TRACKER_BAD_URL" },
    { text: "udp://host:99999", code: "TRACKER_BAD_URL" },
    { text: `http://t.example/${"a".repeat(2048)}`, code: "TRACKER_BAD_URL" },
    { text: "wss://t.example/announce", code: "TRACKER_UNSUPPORTED_SCHEME" },
    { text: "file:///etc/passwd", code: "TRACKER_UNSUPPORTED_SCHEME" },
    { text: "dht://", code: "TRACKER_UNSUPPORTED_SCHEME" },
  ];
  for (const { text, code } of refused) {
    test(`"${text.slice(0, 40)}" is refused: ${code}`, () => assert.throws(() => parseTrackerUrl(text), { code }));
  }
});

describe("where a scrape goes", () => {
  // The examples of BEP 48.
  const examples = [
    { announce: "http://example.com/announce", scrape: "http://example.com/scrape" },
    { announce: "http://example.com/x/announce", scrape: "http://example.com/x/scrape" },
    { announce: "http://example.com/announce.php", scrape: "http://example.com/scrape.php" },
    { announce: "http://example.com/announce?x2%0644", scrape: "http://example.com/scrape?x2%0644" },
    { announce: "http://example.com/a", scrape: undefined },
    { announce: "http://example.com/announce?x=2/4", scrape: undefined },
    { announce: "http://example.com/x%064announce", scrape: undefined },
    { announce: "http://example.com/scrape?x=1", scrape: "http://example.com/scrape?x=1" },
    { announce: "udp://example.com:1/a", scrape: "udp://example.com:1/a" },
  ];
  for (const { announce, scrape } of examples) {
    test(`${announce} → ${scrape ?? "nowhere"}`, () => {
      if (scrape === undefined) assert.throws(() => scrapeUrlOf(announce), { code: "TRACKER_SCRAPE_UNSUPPORTED" });
      else assert.equal(scrapeUrlOf(announce).href, scrape);
    });
  }
});
