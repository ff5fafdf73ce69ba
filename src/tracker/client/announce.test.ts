import assert from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { encodeUtf8, toHex } from "#/base/bytes.ts";
import {
  type AnnounceRequest,
  decodeAnnounceQuery,
  decodeScrapeQuery,
  decodeUdpRequest,
  encodeAnnounceAnswer,
  encodeFailure,
  encodeScrapeAnswer,
  encodeUdpReply,
  TrackerError,
  type UdpReply,
  type UdpRequest,
} from "../protocol/index.ts";
import { announce, scrape } from "./announce.ts";
import { UdpTrackerSockets } from "./udp.ts";

const request: AnnounceRequest = {
  infoHash: Uint8Array.from({ length: 20 }, (_, i) => i * 13),
  peerId: encodeUtf8("-FS0100-abcdefghijkl"),
  port: 6881,
  uploaded: 1,
  downloaded: 2,
  left: 3,
  event: "started",
  key: 4,
  numWant: 50,
};
const peers = [
  { host: "192.0.2.1", port: 1 },
  { host: "2001:db8::1", port: 2 },
];
const body = encodeAnnounceAnswer({ intervalSeconds: 900, peers }, { compact: true });
const hasIpv6 = await canBind("::1");
const needsIpv6 = hasIpv6 ? {} : { skip: "this machine has no ::1" };

async function canBind(host: string): Promise<boolean> {
  const server = createServer().listen(0, host);
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** A server on loopback that lives until the end of its test or block. */
async function serve(listener: RequestListener, host = "127.0.0.1", server: Server = createServer(listener)) {
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: (): void => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const answering =
  (content: Uint8Array | string, headers: Record<string, string> = {}, status = 200) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, headers).end(content);
  };

describe("an announce over HTTP", () => {
  test("sends the query behind the URL's own, and gives the peers of both families", async () => {
    const seen: IncomingMessage[] = [];
    using server = await serve((incoming, response) => {
      seen.push(incoming);
      response.end(body);
    });
    const answer = await announce(`http://u:p@127.0.0.1:${server.port}/x/announce?passkey=k`, request);
    assert.deepEqual([answer.intervalSeconds, answer.peers], [900, peers]);
    const url = new URL(seen[0]?.url ?? "", "http://x");
    assert.match(url.search, /^\?passkey=k&info_hash=%00%0D%1A/);
    assert.deepEqual(decodeAnnounceQuery(url.search.slice(1)).infoHash, request.infoHash);
    assert.equal(seen[0]?.headers.authorization, `Basic ${btoa("u:p")}`);
    assert.equal(seen[0]?.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(seen[0]?.headers["accept-encoding"], "gzip, deflate");
  });

  test("over IPv6", needsIpv6, async () => {
    using server = await serve(answering(body), "::1");
    assert.equal((await announce(`http://[::1]:${server.port}/announce`, request)).intervalSeconds, 900);
  });

  test("over HTTPS, when the certificate is trusted and only then", async () => {
    const pem = readFileSync(new URL("./testdata/localhost.pem", import.meta.url), "utf8");
    using server = await serve(answering(body), "127.0.0.1", createTlsServer({ key: pem, cert: pem }, answering(body)));
    const resolve = async (): Promise<string[]> => ["127.0.0.1"];
    const url = `https://tracker.example:${server.port}/announce`;
    assert.equal((await announce(url, request, { resolve, certificateAuthorities: pem })).intervalSeconds, 900);
    await assert.rejects(announce(url, request, { resolve }), (error) => {
      return error instanceof TrackerError && error.code === "TRACKER_UNREACHABLE" && /CERT/.test(String(error.details["reason"]));
    });
  });

  const encodings = [
    { name: "gzip", encoding: "gzip", content: gzipSync(body) },
    { name: "deflate", encoding: "deflate", content: deflateSync(body) },
    { name: "deflate without the zlib header", encoding: "Deflate", content: deflateRawSync(body) },
  ];
  for (const { name, encoding, content } of encodings) {
    test(`with ${name}`, async () => {
      using server = await serve(answering(content, { "content-encoding": encoding }));
      assert.equal((await announce(`http://127.0.0.1:${server.port}/announce`, request)).intervalSeconds, 900);
    });
  }

  const large = Buffer.alloc(1024 * 1024 + 1, 0x61);
  const refused: { name: string; listener: RequestListener; code: string; retry?: number }[] = [
    {
      name: "a failure reason",
      listener: answering(encodeFailure({ reason: "no", retryInMinutes: 2 })),
      code: "TRACKER_FAILURE",
      retry: 120,
    },
    {
      name: "a failure reason with status 403",
      listener: answering(encodeFailure({ reason: "no" }), {}, 403),
      code: "TRACKER_FAILURE",
    },
    { name: "status 503", listener: answering("busy", { "retry-after": "77" }, 503), code: "TRACKER_HTTP_STATUS", retry: 77 },
    { name: "a web page", listener: answering("<html>"), code: "TRACKER_BAD_ANSWER" },
    { name: "an answer over 1 MiB", listener: answering(large), code: "TRACKER_ANSWER_TOO_LARGE" },
    {
      name: "a gzip bomb",
      listener: answering(gzipSync(Buffer.alloc(50 * 1024 * 1024)), { "content-encoding": "gzip" }),
      code: "TRACKER_ANSWER_TOO_LARGE",
    },
    { name: "broken gzip", listener: answering("no gzip", { "content-encoding": "gzip" }), code: "TRACKER_BAD_ANSWER" },
    { name: "an unknown encoding", listener: answering(body, { "content-encoding": "br" }), code: "TRACKER_BAD_ANSWER" },
    { name: "a connection that breaks", listener: (incoming) => incoming.socket.destroy(), code: "TRACKER_UNREACHABLE" },
    {
      name: "an answer that is cut off",
      listener: (_, response) => response.writeHead(200, { "content-length": "99" }).write("d", () => response.destroy()),
      code: "TRACKER_UNREACHABLE",
    },
    { name: "a redirect to nowhere", listener: answering("", {}, 302), code: "TRACKER_BAD_REDIRECT" },
    {
      name: "a redirect to udp",
      listener: answering("", { location: "udp://127.0.0.1:9/announce" }, 302),
      code: "TRACKER_BAD_REDIRECT",
    },
    { name: "a redirect to a file", listener: answering("", { location: "file:///announce" }, 302), code: "TRACKER_BAD_REDIRECT" },
    {
      name: "a redirect to itself for ever",
      listener: answering("", { location: "/announce" }, 301),
      code: "TRACKER_BAD_REDIRECT",
    },
    {
      name: "a local redirect to another path",
      listener: answering("", { location: "/admin?x=/announce" }, 307),
      code: "TRACKER_LOCAL_PATH",
    },
  ];
  for (const { name, listener, code, retry } of refused) {
    test(`${name} is ${code}`, async () => {
      using server = await serve(listener);
      await assert.rejects(announce(`http://127.0.0.1:${server.port}/announce`, request), { code, retryInSeconds: retry });
    });
  }

  test("nobody there is TRACKER_UNREACHABLE, an unknown name TRACKER_HOST_NOT_FOUND", async () => {
    const server = await serve(answering(body));
    server[Symbol.dispose]();
    await assert.rejects(announce(`http://127.0.0.1:${server.port}/announce`, request), { code: "TRACKER_UNREACHABLE" });
    const resolve = async (): Promise<string[]> => [];
    await assert.rejects(announce("http://t.example/announce", request, { resolve }), { code: "TRACKER_HOST_NOT_FOUND" });
    const failing = (): Promise<string[]> => Promise.reject(new Error("ENOTFOUND"));
    await assert.rejects(announce("http://t.example/announce", request, { resolve: failing }), { code: "TRACKER_HOST_NOT_FOUND" });
    const only6 = { resolve: async () => ["127.0.0.1"], family: 6 as const };
    await assert.rejects(announce("http://t.example/announce", request, only6), { code: "TRACKER_HOST_NOT_FOUND" });
  });

  test("follows redirects, with the query of the new address or our own", async () => {
    const seen: string[] = [];
    using server = await serve((incoming, response) => {
      seen.push(incoming.url ?? "");
      const to = seen.length === 1 ? "/b/announce" : seen.length === 2 ? `/c/announce?info_hash=moved` : undefined;
      response.writeHead(to === undefined ? 200 : 302, to === undefined ? {} : { location: to }).end(body);
    });
    await announce(`http://127.0.0.1:${server.port}/announce?k=1`, request);
    assert.match(seen[1] ?? "", /^\/b\/announce\?info_hash=%00/);
    assert.equal(seen[2], "/c/announce?info_hash=moved");
  });

  test("the address that was checked is the one that is asked, however the name is answered afterwards", async () => {
    using server = await serve(answering(body));
    const answers = [["127.0.0.1"], ["192.0.2.1"]];
    const resolve = async (): Promise<string[]> => answers.shift() ?? assert.fail("looked up once more");
    await announce(`http://rebind.example:${server.port}/announce`, request, { resolve });
    assert.equal(answers.length, 1);
  });

  test("a name that leads to a local address is asked only for /announce", async () => {
    const resolve = async (): Promise<string[]> => ["127.0.0.1", "192.0.2.1"];
    await assert.rejects(announce("http://evil.example/admin", request, { resolve }), { code: "TRACKER_LOCAL_PATH" });
    await assert.rejects(announce("udp://evil.example/admin", request, { resolve }), { code: "TRACKER_LOCAL_PATH" });
    for (const url of [
      "http://localhost:1/x",
      "http://0x7f.1:1/x",
      "http://[::ffff:127.0.0.1]:1/x",
      "http://0:1/",
      "http://127.0.0.1:1/x?/announce",
    ]) {
      await assert.rejects(announce(url, request), { code: "TRACKER_LOCAL_PATH" }, url);
    }
  });

  test("a redirect from a public address to a local one is not followed, nor one by way of another public one", async () => {
    let asked = 0;
    using inner = await serve((_, response) => {
      asked++;
      response.end(body);
    });
    using outer = await serve((incoming, response) => {
      const again = incoming.url?.startsWith("/again/") === true;
      const location = again ? "/announce" : `http://inner.example:${inner.port}/announce`;
      response.writeHead(302, { location }).end();
    });
    // 127.0.0.1 plays the public address; the name of the inner server leads to it and to one that is local.
    const resolve = async (host: string): Promise<string[]> =>
      host === "inner.example" ? ["127.0.0.1", "10.0.0.1"] : ["127.0.0.1"];
    const isLocal = (address: string): boolean => address === "10.0.0.1";
    for (const path of ["announce", "again/announce"]) {
      const call = announce(`http://outer.example:${outer.port}/${path}`, request, { resolve, isLocal });
      await assert.rejects(call, { code: "TRACKER_LOCAL_REDIRECT" });
    }
    assert.equal(asked, 0);
  });

  test("ends in time when the tracker is slow, and closes the connection", async () => {
    const closed = Promise.withResolvers<void>();
    using server = await serve((incoming) => incoming.socket.on("close", () => closed.resolve()));
    await assert.rejects(announce(`http://127.0.0.1:${server.port}/announce`, request, { timeoutMs: 50 }), {
      code: "TRACKER_TIMEOUT",
    });
    await closed.promise;
  });

  test("ends with the signal's reason, and closes the connection", async () => {
    const closed = Promise.withResolvers<void>();
    const controller = new AbortController();
    const reason = new Error("enough");
    using server = await serve((incoming, response) => {
      incoming.socket.on("close", () => closed.resolve());
      response.write("d", () => controller.abort(reason)); // in the middle of the answer
    });
    const call = announce(`http://127.0.0.1:${server.port}/announce`, request, { signal: controller.signal });
    await assert.rejects(call, (error) => error === reason);
    await closed.promise;
    await assert.rejects(
      announce("http://127.0.0.1:1/announce", request, { signal: controller.signal }),
      (error) => error === reason,
    );
  });

  test("ends while a name is being looked up", async () => {
    const controller = new AbortController();
    const resolve = (): Promise<string[]> => {
      controller.abort();
      return new Promise(() => {});
    };
    await assert.rejects(announce("http://t.example/announce", request, { resolve, signal: controller.signal }), {
      name: "AbortError",
    });
  });
});

describe("an announce over UDP", () => {
  /** A UDP tracker that says what `reply` says, and remembers what it heard. */
  async function serveUdp(reply: (heard: UdpRequest, from: RemoteInfo) => UdpReply | Uint8Array | undefined, host = "127.0.0.1") {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const heard: UdpRequest[] = [];
    socket.on("message", (datagram, from) => {
      const decoded = decodeUdpRequest(datagram);
      heard.push(decoded);
      const made = reply(decoded, from);
      if (made === undefined) return;
      const bytes = made instanceof Uint8Array ? made : encodeUdpReply(made, from.family === "IPv4" ? 4 : 6);
      socket.send(bytes, from.port, from.address);
    });
    socket.bind(0, host);
    await once(socket, "listening");
    return { port: socket.address().port, heard, [Symbol.dispose]: (): void => void socket.close() };
  }

  const welcoming = (heard: UdpRequest): UdpReply => {
    const { transactionId } = heard;
    if (heard.type === "connect") return { type: "connect", transactionId, connectionId: 5n };
    if (heard.type === "announce") return { type: "announce", transactionId, intervalSeconds: 900, leechers: 1, seeders: 2, peers };
    return {
      type: "scrape",
      transactionId,
      entries: heard.infoHashes.map((hash) => ({ seeders: hash[0] ?? 0, leechers: 1, completed: 2 })),
    };
  };

  const sockets = new UdpTrackerSockets();
  after(() => sockets[Symbol.dispose]());

  test("connects once for several announces within a minute, and sends path and query", async () => {
    using server = await serveUdp(welcoming);
    const url = `udp://127.0.0.1:${server.port}/announce?k=1`;
    const answer = await announce(url, request, { sockets });
    assert.deepEqual(answer, { intervalSeconds: 900, leechers: 1, seeders: 2, peers: peers.slice(0, 1) });
    await announce(url, { ...request, event: undefined }, { sockets });
    assert.deepEqual(
      server.heard.map((heard) => heard.type),
      ["connect", "announce", "announce"],
    );
    const [, first] = server.heard;
    assert.ok(first?.type === "announce");
    assert.deepEqual([first.path, first.connectionId], ["/announce?k=1", 5n]);
    assert.deepEqual(
      { ...first.request, infoHash: toHex(first.request.infoHash), peerId: "" },
      { ...request, infoHash: toHex(request.infoHash), peerId: "" },
    );
  });

  test("over IPv6 takes peers of 18 bytes, and names no IPv4 address", needsIpv6, async () => {
    using server = await serveUdp(welcoming, "::1");
    const answer = await announce(`udp://[::1]:${server.port}`, { ...request, ipv4: "192.0.2.1" }, { sockets });
    assert.deepEqual(answer.peers, peers.slice(1));
    const [, heard] = server.heard;
    assert.ok(heard?.type === "announce");
    assert.deepEqual([heard.path, heard.request.ipv4], ["", undefined]);
  });

  test("an error packet is TRACKER_FAILURE", async () => {
    using server = await serveUdp(({ transactionId }) => ({ type: "error", transactionId, message: "go away" }));
    await assert.rejects(announce(`udp://127.0.0.1:${server.port}/announce`, request, { sockets }), {
      code: "TRACKER_FAILURE",
      details: { reason: "go away" },
    });
  });

  test("an answer to another transaction is not taken for ours", async () => {
    using server = await serveUdp((heard) => ({ ...welcoming(heard), transactionId: heard.transactionId ^ 1 }));
    const call = announce(`udp://127.0.0.1:${server.port}/announce`, request, { sockets, timeoutMs: 100 });
    await assert.rejects(call, { code: "TRACKER_TIMEOUT" });
    assert.equal(server.heard.length, 1);
  });

  test("nobody there is TRACKER_UNREACHABLE", async () => {
    const server = await serveUdp(welcoming);
    server[Symbol.dispose]();
    await assert.rejects(announce(`udp://127.0.0.1:${server.port}/announce`, request, { sockets }), {
      code: "TRACKER_UNREACHABLE",
    });
  });

  test("ends with the signal's reason; a closed set of sockets fails what waits", async () => {
    const controller = new AbortController();
    const own = new UdpTrackerSockets();
    let on = (): void => controller.abort();
    using server = await serveUdp(() => void on());
    const url = `udp://127.0.0.1:${server.port}/announce`;
    await assert.rejects(announce(url, request, { sockets: own, signal: controller.signal }), { name: "AbortError" });
    on = () => own[Symbol.dispose]();
    await assert.rejects(announce(url, request, { sockets: own }), { code: "TRACKER_UNREACHABLE" });
  });

  test("the next address of a host is asked when nobody is at the first", needsIpv6, async () => {
    using server = await serveUdp(welcoming, "::1");
    const resolve = async (): Promise<string[]> => ["127.0.0.1", "::1"];
    const answer = await announce(`udp://both.example:${server.port}`, request, { sockets, resolve });
    assert.deepEqual(answer.peers, peers.slice(1));
  });

  test("a scrape of more than 74 takes several datagrams, and keeps its order", async () => {
    using server = await serveUdp(welcoming);
    const hashes = Array.from({ length: 100 }, (_, i) => new Uint8Array(20).fill(i));
    const entries = await scrape(`udp://127.0.0.1:${server.port}/announce`, hashes, { sockets });
    assert.deepEqual(
      entries.map((entry) => entry?.seeders),
      hashes.map((_, i) => i),
    );
    assert.deepEqual(
      server.heard.map((heard) => (heard.type === "scrape" ? heard.infoHashes.length : 0)),
      [0, 74, 26],
    );
  });
});

describe("a scrape over HTTP", () => {
  test("asks the scrape URL, 50 at a time, and leaves out what the tracker does not know", async () => {
    const seen: string[] = [];
    using server = await serve((incoming, response) => {
      const [path = "", query = ""] = (incoming.url ?? "").split("?k=1&");
      const infoHashes = decodeScrapeQuery(query);
      seen.push(`${path} ${infoHashes.length}`);
      const known = infoHashes.filter((hash) => hash[0] !== 7);
      response.end(encodeScrapeAnswer(known.map((hash) => [hash, { seeders: hash[0] ?? 0, leechers: 0, completed: 0 }])));
    });
    const hashes = Array.from({ length: 60 }, (_, i) => new Uint8Array(20).fill(i));
    const entries = await scrape(`http://127.0.0.1:${server.port}/announce?k=1`, hashes);
    assert.deepEqual(
      entries.map((entry) => entry?.seeders),
      hashes.map((_, i) => (i === 7 ? undefined : i)),
    );
    assert.deepEqual(seen, ["/scrape 50", "/scrape 10"]);
  });

  test("of a URL that has no scrape URL is TRACKER_SCRAPE_UNSUPPORTED", async () => {
    await assert.rejects(scrape("http://127.0.0.1/a", [request.infoHash]), { code: "TRACKER_SCRAPE_UNSUPPORTED" });
  });
});
