import { type Handshake, HandshakeDecoder } from "../wire/index.ts";
import { peerError } from "./errors.ts";
import type { Link, LinkListener } from "./link.ts";

/** How long a peer has for its 68 bytes. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface HandshakingOptions {
  readonly link: Link;
  /** Ours, sent at once: for links that we dialled. */
  readonly send?: Uint8Array;
  /** ms, monotonic */
  readonly now: number;
  /** @returns who gets everything that follows, or the reason to close the link */
  readonly onHandshake: (handshake: Handshake) => LinkListener | Error;
  readonly onFailed: (reason: Error) => void;
}

/** A link until its handshake has come; then it passes on what follows. */
export class Handshaking implements LinkListener {
  readonly link: Link;
  readonly #options: HandshakingOptions;
  readonly #decoder = new HandshakeDecoder();
  #next: LinkListener | undefined;
  #isOver = false;

  constructor(options: HandshakingOptions) {
    this.#options = options;
    this.link = options.link;
  }

  /** Whether the link is still at its handshake. */
  get isOpen(): boolean {
    return !this.#isOver && this.#next === undefined;
  }

  start(): void {
    if (this.#options.send !== undefined) this.link.write(this.#options.send);
    this.link.start(this);
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#next !== undefined) this.#next.onBytes(bytes);
    else if (!this.#isOver) this.#receive(bytes);
  }

  onClose(cause: Error | undefined): void {
    if (this.#next !== undefined) this.#next.onClose(cause);
    else this.fail(peerError("PEER_CLOSED", undefined, cause));
  }

  tick(now: number): void {
    if (this.isOpen && now - this.#options.now > HANDSHAKE_TIMEOUT_MS) {
      this.fail(peerError("PEER_HANDSHAKE_TIMEOUT", { bytes: this.#decoder.received }));
    }
  }

  fail(reason: Error): void {
    if (!this.isOpen) return;
    this.#isOver = true;
    this.link.close();
    this.#options.onFailed(reason);
  }

  #receive(bytes: Uint8Array): void {
    try {
      const whole = this.#decoder.push(bytes);
      if (whole === undefined) return;
      const next = this.#options.onHandshake(whole.handshake);
      if (next instanceof Error) {
        this.fail(next);
        return;
      }
      this.#next = next;
      if (whole.rest.byteLength > 0) next.onBytes(whole.rest);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
