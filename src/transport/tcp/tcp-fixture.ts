/** Two ends of a TCP connection on loopback that remember what they got, for tests. */
import { once } from "node:events";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { concatBytes } from "#/base/bytes.ts";
import { formatEndpoint } from "#/base/ip.ts";
import type { TcpLink, TcpLinkListener } from "./tcp-link.ts";
import { TcpListener, TcpTransport } from "./tcp-transport.ts";

/** Remembers what a link delivers. */
export class LinkRecord implements TcpLinkListener {
  readonly chunks: Uint8Array[] = [];
  readonly closes: (Error | undefined)[] = [];
  receivedBytes = 0;
  /** Called at each delivery, before what waits for it. */
  onChunk: (() => void) | undefined;
  #changed = Promise.withResolvers<void>();

  get bytes(): Uint8Array {
    return concatBytes(this.chunks);
  }

  onBytes(bytes: Uint8Array): void {
    this.chunks.push(bytes.slice());
    this.receivedBytes += bytes.byteLength;
    this.onChunk?.();
    this.#wake();
  }

  onClose(cause: Error | undefined): void {
    this.closes.push(cause);
    this.#wake();
  }

  async hasReceived(length: number): Promise<void> {
    while (this.receivedBytes < length) await this.#changed.promise;
  }

  async hasClosed(): Promise<void> {
    while (this.closes.length === 0) await this.#changed.promise;
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}

/** Accepts one link after another. */
export class Accepting {
  readonly listener: TcpListener;
  readonly #links: TcpLink[];
  readonly #wake: { call: () => void };

  private constructor(listener: TcpListener, links: TcpLink[], wake: { call: () => void }) {
    this.listener = listener;
    this.#links = links;
    this.#wake = wake;
  }

  static async open(t: TestContext, host = "127.0.0.1"): Promise<Accepting> {
    const links: TcpLink[] = [];
    const wake = { call: (): void => {} };
    const onLink = (link: TcpLink): void => {
      links.push(link);
      wake.call();
    };
    const listener = await TcpListener.open({ hosts: [host], ports: [0], onLink });
    t.after(() => listener[Symbol.asyncDispose]());
    return new Accepting(listener, links, wake);
  }

  get address(): string {
    const [endpoint] = this.listener.endpoints;
    if (endpoint === undefined) throw new Error("it listens nowhere");
    return formatEndpoint(endpoint);
  }

  async next(): Promise<TcpLink> {
    for (;;) {
      const link = this.#links.shift();
      if (link !== undefined) return link;
      await new Promise<void>((resolve) => {
        this.#wake.call = resolve;
      });
    }
  }
}

export const neverAborted = new AbortController().signal;

/** A dialled link and the accepted one of the same connection; neither is started. */
export async function linkPair(
  t: TestContext,
  host = "127.0.0.1",
): Promise<{ readonly dialled: TcpLink; readonly accepted: TcpLink }> {
  const accepting = await Accepting.open(t, host);
  const [dialled, accepted] = await Promise.all([
    new TcpTransport().dial(accepting.address, { signal: neverAborted }),
    accepting.next(),
  ]);
  t.after(() => {
    dialled.close();
    accepted.close();
  });
  return { dialled, accepted };
}

/** The address of a socket on loopback that listens, but whose process takes nobody: connections beyond the backlog stay unanswered. */
export async function deafAddress(t: TestContext): Promise<string> {
  const code = `
    const { createServer } = require("node:net");
    const { parentPort } = require("node:worker_threads");
    const server = createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const worker = new Worker(code, { eval: true });
  t.after(() => worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  return `127.0.0.1:${port}`;
}
