import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, Server } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { TransportError } from "./errors.ts";
import { Accepting, deafAddress, LinkRecord, neverAborted } from "./tcp-fixture.ts";
import { TcpListener, TcpTransport } from "./tcp-transport.ts";

const ignore = (): void => {};
const unreachable = { name: "TransportError", code: "TRANSPORT_UNREACHABLE", fault: "remote" };

async function occupy(t: TestContext, host: string, port = 0): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen({ host, port, ipv6Only: host.includes(":") });
  await once(server, "listening");
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

/** A port of loopback that was free just now. */
async function freePort(t: TestContext, host = "127.0.0.1"): Promise<number> {
  const { server, port } = await occupy(t, host);
  server.close();
  await once(server, "close");
  return port;
}

describe("TcpTransport", () => {
  test("knows which addresses it can dial", () => {
    const transport = new TcpTransport();
    for (const address of ["127.0.0.1:6881", "[::1]:6881", "[::ffff:127.0.0.1]:1"]) assert.ok(transport.canDial(address), address);
    for (const address of ["peer.example:6881", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:6881", ""]) {
      assert.ok(!transport.canDial(address), address);
    }
  });

  for (const address of ["peer.example:6881", "nonsense", "127.0.0.1:0"]) {
    test(`refuses to dial "${address}", without asking for a name`, async () => {
      await assert.rejects(new TcpTransport().dial(address, { signal: neverAborted }), {
        code: "TRANSPORT_BAD_ADDRESS",
        fault: "local",
      });
    });
  }

  for (const host of ["127.0.0.1", "::1"]) {
    test(`tells a refused connection to ${host}`, async (t) => {
      const port = await freePort(t, host);
      const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      await assert.rejects(new TcpTransport().dial(address, { signal: neverAborted }), (error) => {
        assert.ok(error instanceof TransportError);
        assert.equal(error.code, "TRANSPORT_UNREACHABLE");
        assert.match(error.message, new RegExp(`${port}`));
        assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
        return true;
      });
    });
  }

  // The system refuses these without sending anything: they are not of one host.
  for (const address of ["255.255.255.255:1", "[ff02::1]:1"]) {
    test(`tells that ${address} has no route`, async () => {
      await assert.rejects(new TcpTransport().dial(address, { signal: neverAborted }), unreachable);
    });
  }

  test("gives up when nobody answers in time", async (t) => {
    const address = await deafAddress(t);
    const transport = new TcpTransport({ connectTimeoutMs: 50 });
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => transport.dial(address, { signal: neverAborted })));
    const failures = results.filter((result) => result.status === "rejected");
    for (const result of results) if (result.status === "fulfilled") result.value.close();
    assert.ok(failures.length > 0, "the backlog took all of them");
    for (const { reason } of failures) {
      assert.equal(reason.code, "TRANSPORT_UNREACHABLE");
      assert.equal((reason.cause as Error).name, "AbortError");
    }
  });

  test("stops dialling when aborted, with the reason given", async (t) => {
    const address = await deafAddress(t);
    const abort = new AbortController();
    const transport = new TcpTransport();
    const dials = Array.from({ length: 6 }, () => transport.dial(address, { signal: abort.signal }));
    const reason = new Error("enough");
    abort.abort(reason);
    const results = await Promise.allSettled(dials);
    assert.deepEqual(
      results.map((result) => (result.status === "rejected" ? result.reason : undefined)),
      dials.map(() => reason),
    );
    await assert.rejects(transport.dial(address, { signal: abort.signal }), reason);
  });

  test("dials an IPv4 address that is written in IPv6 form as IPv4", async (t) => {
    const accepting = await Accepting.open(t);
    const link = await new TcpTransport().dial(`[::ffff:127.0.0.1]:${accepting.listener.port}`, { signal: neverAborted });
    assert.equal(link.address, `127.0.0.1:${accepting.listener.port}`);
    link.close();
  });
});

describe("TcpListener", () => {
  test("listens on one port of both families", async (t) => {
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    await using listener = await TcpListener.open({
      hosts: ["127.0.0.1", "::1"],
      ports: [0],
      onLink: (link) => {
        seen.push(link.host);
        link.close();
        if (seen.length === 2) resolve();
      },
    });
    const { port } = listener;
    assert.deepEqual(listener.endpoints, [
      { host: "127.0.0.1", port },
      { host: "::1", port },
    ]);
    for (const address of [`127.0.0.1:${port}`, `[::1]:${port}`]) {
      const link = await new TcpTransport().dial(address, { signal: neverAborted });
      t.after(() => link.close());
    }
    await promise;
    assert.deepEqual(seen.sort(), ["127.0.0.1", "::1"]);
  });

  test("the wildcard of IPv6 leaves IPv4 to others", async (t) => {
    const { port } = await occupy(t, "127.0.0.1");
    await using listener = await TcpListener.open({ hosts: ["::"], ports: [port], onLink: ignore });
    assert.equal(listener.port, port);
  });

  test("tries ports in turn until one is free on every host", async (t) => {
    const taken = await occupy(t, "::1");
    const free = await freePort(t);
    await using listener = await TcpListener.open({
      hosts: ["127.0.0.1", "::1"],
      ports: [taken.port, free],
      onLink: ignore,
    });
    assert.equal(listener.port, free);
    await occupy(t, "127.0.0.1", taken.port); // what was taken of the first port was given back
  });

  test("tells when no port is free", async (t) => {
    const { port } = await occupy(t, "127.0.0.1");
    await assert.rejects(TcpListener.open({ hosts: ["127.0.0.1"], ports: [port], onLink: ignore }), (error) => {
      assert.ok(error instanceof TransportError);
      assert.equal(error.code, "TRANSPORT_CANNOT_LISTEN");
      assert.equal(error.fault, "local");
      assert.equal((error.cause as NodeJS.ErrnoException).code, "EADDRINUSE");
      return true;
    });
  });

  test("lets the system choose again when its first choice is taken on the second host", async (t) => {
    const { port } = await occupy(t, "::1");
    const listen = Server.prototype.listen as (options: object) => Server;
    let asked = 0;
    t.mock.method(Server.prototype, "listen", function (this: Server, options: { readonly host: string; readonly port: number }) {
      if (options.port === 0 && asked++ === 0) return listen.call(this, { ...options, port });
      return listen.call(this, options);
    });
    await using listener = await TcpListener.open({ hosts: ["127.0.0.1", "::1"], ports: [0], onLink: ignore });
    assert.equal(asked, 2);
    assert.notEqual(listener.port, port);
    assert.equal(listener.endpoints.length, 2);
  });

  test("leaves out IPv6 where the system has none", async (t) => {
    const listen = Server.prototype.listen as (options: object) => Server;
    t.mock.method(Server.prototype, "listen", function (this: Server, options: { readonly host: string }) {
      if (!options.host.includes(":")) return listen.call(this, options);
      process.nextTick(() => this.emit("error", Object.assign(new Error("no such family"), { code: "EAFNOSUPPORT" })));
      return this;
    });
    await using listener = await TcpListener.open({ hosts: ["127.0.0.1", "::1"], ports: [0], onLink: ignore });
    assert.deepEqual(listener.endpoints, [{ host: "127.0.0.1", port: listener.port }]);
    await assert.rejects(TcpListener.open({ hosts: ["::1"], ports: [0], onLink: ignore }), { code: "TRANSPORT_CANNOT_LISTEN" });
  });

  test("tells that an address is not ours", async () => {
    await assert.rejects(TcpListener.open({ hosts: ["192.0.2.1"], ports: [0], onLink: ignore }), (error) => {
      assert.ok(error instanceof TransportError);
      assert.equal(error.code, "TRANSPORT_CANNOT_LISTEN");
      assert.equal((error.cause as NodeJS.ErrnoException).code, "EADDRNOTAVAIL");
      return true;
    });
  });

  test("disposing frees the port at once, and leaves links that are open alone", async (t) => {
    const accepting = await Accepting.open(t);
    const { port } = accepting.listener;
    const [dialled, accepted] = await Promise.all([
      new TcpTransport().dial(accepting.address, { signal: neverAborted }),
      accepting.next(),
    ]);
    const [a, b] = [new LinkRecord(), new LinkRecord()];
    dialled.start(a);
    accepted.start(b);
    await accepting.listener[Symbol.asyncDispose]();
    await assert.rejects(new TcpTransport().dial(`127.0.0.1:${port}`, { signal: neverAborted }), unreachable);
    await using again = await TcpListener.open({ hosts: ["127.0.0.1"], ports: [port], onLink: ignore });
    assert.equal(again.port, port);
    dialled.write(Uint8Array.of(1, 2));
    await b.hasReceived(2);
    accepted.close();
    await a.hasClosed();
  });
});
