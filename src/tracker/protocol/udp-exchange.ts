import type { RandomSource } from "#/base/random.ts";
import { badAnswer, TrackerError } from "./errors.ts";
import { decodeUdpReply, encodeUdpRequest, tryReadTransactionId, type UdpReply, type UdpRequest } from "./udp-packets.ts";

const FIRST_TIMEOUT_MS = 15_000; // BEP 15, "time outs": 15 · 2^n seconds
const MAX_RETRIES = 8; // BEP 15, "time outs": n goes up to 8
/** BEP 15, "connect": a client may use an id until a minute after it came. */
export const CONNECTION_ID_LIFETIME_MS = 60_000;

/** The connection id that a tracker gave last; shared by all exchanges with that tracker from one socket. */
export class UdpConnectionId {
  #value = 0n;
  #expiresAt = Number.NEGATIVE_INFINITY;

  /** @returns undefined when there is none that the tracker still has to accept at `now` */
  valueAt(now: number): bigint | undefined {
    return now < this.#expiresAt ? this.#value : undefined;
  }

  set(value: bigint, now: number): void {
    this.#value = value;
    this.#expiresAt = now + CONNECTION_ID_LIFETIME_MS;
  }

  forget(): void {
    this.#expiresAt = Number.NEGATIVE_INFINITY;
  }
}

/** What is asked once there is a connection id. */
export type UdpQuestion = (connectionId: bigint, transactionId: number) => UdpRequest;
export type UdpAnswer = Exclude<UdpReply, { type: "connect" } | { type: "error" }>;
export type UdpExchangeEvent =
  | { readonly type: "answered"; readonly answer: UdpAnswer }
  | { readonly type: "failed"; readonly error: TrackerError };

/**
 * One question to a UDP tracker (BEP 15): connect when no connection id is at hand, then ask, each sent again after 15 · 2^n seconds.
 * Rules of this machine:
 * - n counts the datagrams that stayed unanswered, over both steps; after the ninth the exchange has failed.
 * - An id that ran out while waiting is asked for anew.
 * - An error in answer to an id from an earlier exchange is taken to mean that the tracker forgot it: connect once more.
 * - Datagrams with another transaction id are somebody else's, or stale: ignored.
 */
export class UdpExchange {
  readonly #question: UdpQuestion;
  readonly #family: 4 | 6;
  readonly #connection: UdpConnectionId;
  readonly #random: RandomSource;
  #request: { readonly type: UdpRequest["type"]; readonly transactionId: number; readonly bytes: Uint8Array } | undefined;
  #connectedHere = false;
  #unanswered = 0;
  #deadline = Number.NEGATIVE_INFINITY;
  #event: UdpExchangeEvent | undefined;

  /** @param options.family of the tracker's address: peers have 6 bytes for 4, 18 for 6 */
  constructor(
    question: UdpQuestion,
    options: { readonly family: 4 | 6; readonly connection: UdpConnectionId; readonly random: RandomSource },
  ) {
    this.#question = question;
    this.#family = options.family;
    this.#connection = options.connection;
    this.#random = options.random;
  }

  /** A datagram from the tracker at `now` (ms, monotonic). */
  receive(datagram: Uint8Array, now: number): void {
    const request = this.#request;
    if (this.#event !== undefined || request === undefined || tryReadTransactionId(datagram) !== request.transactionId) return;
    let reply: UdpReply;
    try {
      reply = decodeUdpReply(datagram, this.#family);
    } catch (error) {
      if (!(error instanceof TrackerError)) throw error;
      this.#event = { type: "failed", error };
      return;
    }
    if (reply.type === "error") this.#refused(request.type, reply.message);
    else if (reply.type !== request.type) {
      this.#event = { type: "failed", error: badAnswer(`a ${reply.type} reply to a ${request.type} request`) };
    } else if (reply.type === "connect") {
      this.#connection.set(reply.connectionId, now);
      this.#connectedHere = true;
      this.#startOver();
    } else this.#event = { type: "answered", answer: reply };
  }

  #refused(asked: UdpRequest["type"], reason: string): void {
    if (asked !== "connect" && !this.#connectedHere) {
      this.#connection.forget();
      this.#startOver();
      return;
    }
    const error = new TrackerError("TRACKER_FAILURE", `the tracker refused: ${reason}`, { fault: "remote", details: { reason } });
    this.#event = { type: "failed", error };
  }

  #startOver(): void {
    this.#request = undefined;
    this.#deadline = Number.NEGATIVE_INFINITY;
  }

  /** The datagram to send at `now`. Call until undefined. */
  pollTransmit(now: number): Uint8Array | undefined {
    if (this.#event !== undefined || now < this.#deadline) return undefined;
    if (this.#request !== undefined && this.#unanswered++ === MAX_RETRIES) {
      const error = new TrackerError("TRACKER_TIMEOUT", `no answer to ${MAX_RETRIES + 1} datagrams`, { fault: "remote" });
      this.#event = { type: "failed", error };
      return undefined;
    }
    const connectionId = this.#connection.valueAt(now);
    const type = connectionId === undefined ? "connect" : "ask";
    if (this.#request === undefined || (this.#request.type === "connect") !== (type === "connect")) {
      const transactionId = this.#random.below(2 ** 32);
      const request: UdpRequest =
        connectionId === undefined ? { type: "connect", transactionId } : this.#question(connectionId, transactionId);
      this.#request = { type: request.type, transactionId, bytes: encodeUdpRequest(request) };
    }
    this.#deadline = now + FIRST_TIMEOUT_MS * 2 ** this.#unanswered;
    return this.#request.bytes;
  }

  /** When to call `pollTransmit` next if nothing is received before; undefined once there is an event. */
  nextTimeout(): number | undefined {
    return this.#event === undefined ? this.#deadline : undefined;
  }

  /** How it ended, undefined while it goes on. */
  pollEvent(): UdpExchangeEvent | undefined {
    return this.#event;
  }
}
