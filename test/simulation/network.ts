import type { RandomSource } from "#/base/random.ts";
import type { Link, LinkListener } from "#/bittorrent/swarm/index.ts";
import type { Timeline } from "./timeline.ts";

/** Bytes that travel as one: what the uplink sends in 50 ms, within these bounds. */
const MIN_SEGMENT_LENGTH = 1500;
const MAX_SEGMENT_LENGTH = 16 * 1024;
const SEGMENT_SECONDS = 0.05;
/** Bytes under way or waiting to be read on one direction of a connection, beyond which the sender waits. */
const WINDOW_LENGTH = 256 * 1024;
const FIRST_EPHEMERAL_PORT = 50_000;
const nothing = (): void => {};

export interface HostOptions {
  /** Bytes a second; Infinity for no limit. */
  readonly upRate?: number;
  readonly downRate?: number;
  /** Between the host and the middle of the network, one way. @default 10 */
  readonly latencyMs?: number;
  /** At most so much is added to the latency of each segment, by chance; the order is kept. @default 0 */
  readonly jitterMs?: number;
}

/** A host of the network: one address, an uplink that its connections share in turn, and a downlink. */
export class Host {
  readonly ip: string;
  readonly options: Required<HostOptions>;
  /** Connections with something to send, next first. */
  readonly senders: SimulatedLink[] = [];
  readonly segmentLength: number;
  isSending = false;
  receivingUntil = 0;
  sentBytes = 0;
  receivedBytes = 0;

  constructor(ip: string, options: HostOptions) {
    this.ip = ip;
    const { upRate = Number.POSITIVE_INFINITY, downRate = Number.POSITIVE_INFINITY, latencyMs = 10, jitterMs = 0 } = options;
    this.options = { upRate, downRate, latencyMs, jitterMs };
    this.segmentLength = Math.max(MIN_SEGMENT_LENGTH, Math.min(MAX_SEGMENT_LENGTH, Math.round(upRate * SEGMENT_SECONDS)));
  }
}

/** One end of a connection: in order, with flow control, never losing anything until it is closed. */
export class SimulatedLink implements Link {
  readonly transport = "simulated";
  readonly address: string;
  readonly host: string;
  readonly own: Host;
  readonly #network: Network;
  #other: SimulatedLink | undefined;
  #listener: LinkListener | undefined;
  readonly #queue: { readonly bytes: Uint8Array; readonly onSent: () => void; sent: number }[] = [];
  #queuedBytes = 0;
  /** Sent by us and not yet taken by the other end's listener. */
  #underWay = 0;
  #arrivesAt = 0;
  /** What came while reading was paused; undefined stands for the end of the stream. */
  readonly #arrived: (Uint8Array | undefined)[] = [];
  #isPaused = true;
  #isOnUplink = false;
  #isClosed = false;
  #isOver = false;

  constructor(network: Network, own: Host, address: string) {
    this.#network = network;
    this.own = own;
    this.address = address;
    this.host = address.slice(0, address.lastIndexOf(":"));
  }

  static pair(network: Network, dialler: Host, listener: Host, port: number): [SimulatedLink, SimulatedLink] {
    const a = new SimulatedLink(network, dialler, `${listener.ip}:${port}`);
    const b = new SimulatedLink(network, listener, `${dialler.ip}:${network.nextPort()}`);
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the uplink may take a segment. */
  get canSend(): boolean {
    return !this.#isClosed && this.#queue.length > 0 && this.#underWay < WINDOW_LENGTH;
  }

  start(listener: LinkListener): void {
    this.#listener = listener;
    this.resumeReading();
  }

  write(bytes: Uint8Array, onSent: () => void = nothing): void {
    if (this.#isClosed) {
      this.#network.timeline.after(0, onSent);
      return;
    }
    this.#queue.push({ bytes, onSent, sent: 0 });
    this.#queuedBytes += bytes.byteLength;
    this.#network.offer(this);
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#network.timeline.after(0, () => this.#drain());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { timeline } = this.#network;
    for (const { onSent } of this.#queue.splice(0)) timeline.after(0, onSent);
    this.#queuedBytes = 0;
    this.#arrived.length = 0;
    timeline.after(0, () => this.#end());
    if (!this.#isOnUplink) this.#other?.arriveAfter(this.#network, this, undefined);
  }

  /** Takes the next segment out of the queue; called by the network when the uplink is free. */
  nextSegment(): Uint8Array {
    const segment = new Uint8Array(Math.min(this.own.segmentLength, this.#queuedBytes));
    let filled = 0;
    while (filled < segment.byteLength) {
      const first = this.#queue[0];
      if (first === undefined) break;
      const part = first.bytes.subarray(first.sent, first.sent + segment.byteLength - filled);
      segment.set(part, filled);
      filled += part.byteLength;
      first.sent += part.byteLength;
      if (first.sent < first.bytes.byteLength) break;
      this.#queue.shift();
      this.#network.timeline.after(0, first.onSent);
    }
    this.#queuedBytes -= filled;
    this.#underWay += filled;
    this.#isOnUplink = true;
    return segment;
  }

  /** A segment has left the uplink; what was behind it in the queue is lost when the link was closed meanwhile. */
  sent(segment: Uint8Array): void {
    this.#isOnUplink = false;
    this.#other?.arriveAfter(this.#network, this, segment);
    if (this.#isClosed) this.#other?.arriveAfter(this.#network, this, undefined);
  }

  arriveAfter(network: Network, from: SimulatedLink, segment: Uint8Array | undefined): void {
    const { timeline } = network;
    const latency = from.own.options.latencyMs + this.own.options.latencyMs + network.jitter(from.own) + network.jitter(this.own);
    this.#arrivesAt = Math.max(this.#arrivesAt, timeline.now() + latency);
    timeline.at(this.#arrivesAt, () => {
      const bytes = segment?.byteLength ?? 0;
      const { own } = this;
      own.receivingUntil = Math.max(own.receivingUntil, timeline.now()) + (bytes * 1000) / own.options.downRate;
      timeline.at(own.receivingUntil, () => {
        if (this.#isClosed) return;
        own.receivedBytes += bytes;
        this.#arrived.push(segment);
        this.#drain();
      });
    });
  }

  #drain(): void {
    while (!this.#isPaused && !this.#isClosed && this.#listener !== undefined && this.#arrived.length > 0) {
      const segment = this.#arrived.shift();
      if (segment === undefined) {
        this.#isClosed = true;
        for (const { onSent } of this.#queue.splice(0)) this.#network.timeline.after(0, onSent);
        this.#queuedBytes = 0;
        this.#end();
        return;
      }
      this.#listener.onBytes(segment);
      segment.fill(0xee); // a view is valid during the call only
      this.#other?.taken(segment.byteLength);
    }
  }

  taken(bytes: number): void {
    this.#underWay -= bytes;
    this.#network.offer(this);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener?.onClose(undefined);
  }
}

/** Hosts that reach one another through links with latency and bandwidth. */
export class Network {
  readonly timeline: Timeline;
  readonly #random: RandomSource;
  readonly #listeners = new Map<string, { readonly host: Host; readonly onLink: (link: SimulatedLink) => void }>();
  #ports = FIRST_EPHEMERAL_PORT;

  constructor(timeline: Timeline, random: RandomSource) {
    this.timeline = timeline;
    this.#random = random;
  }

  nextPort(): number {
    return this.#ports++;
  }

  jitter(host: Host): number {
    return host.options.jitterMs === 0 ? 0 : this.#random.below(host.options.jitterMs + 1);
  }

  listen(host: Host, port: number, onLink: (link: SimulatedLink) => void): void {
    this.#listeners.set(`${host.ip}:${port}`, { host, onLink });
  }

  /** @param onLink gets undefined when nobody listens there */
  dial(from: Host, address: string, onLink: (link: SimulatedLink | undefined) => void): void {
    const listener = this.#listeners.get(address);
    const oneWay = from.options.latencyMs + (listener?.host.options.latencyMs ?? 0);
    this.timeline.after(oneWay, () => {
      if (listener === undefined) {
        this.timeline.after(oneWay, () => onLink(undefined));
        return;
      }
      const [a, b] = SimulatedLink.pair(this, from, listener.host, Number(address.slice(address.lastIndexOf(":") + 1)));
      listener.onLink(b);
      this.timeline.after(oneWay, () => onLink(a));
    });
  }

  /** A link has something to send, or room for more under way. */
  offer(link: SimulatedLink): void {
    const { senders } = link.own;
    if (link.canSend && !senders.includes(link)) senders.push(link);
    this.#send(link.own);
  }

  #send(host: Host): void {
    if (host.isSending) return;
    const link = host.senders.shift();
    if (link === undefined) return;
    if (!link.canSend) {
      this.#send(host);
      return;
    }
    host.isSending = true;
    const segment = link.nextSegment();
    host.sentBytes += segment.byteLength;
    this.timeline.after((segment.byteLength * 1000) / host.options.upRate, () => {
      host.isSending = false;
      link.sent(segment);
      this.offer(link);
    });
  }
}
