/**
 * One connection to a peer, whatever carries it (TCP, uTP, QUIC over IP or SCION): bytes both ways, in order.
 * A transport makes it; the swarm owns it from then on.
 */
export interface Link {
  /** What carries it: `tcp`, `utp`, `quic`, … */
  readonly transport: string;
  /** The remote end as text that another client could dial, except that the port of an accepted TCP link is ephemeral. */
  readonly address: string;
  /** The part of `address` that names the host: the key for bans and limits. */
  readonly host: string;
  /** Bytes given to `write` that the operating system has not taken yet. */
  readonly queuedBytes: number;
  /** Begins delivery to `listener`; nothing is delivered before, nothing is lost. */
  start(listener: LinkListener): void;
  /** Sends `bytes`, which must stay unchanged until `onSent`; a closed link drops them and calls `onSent` too. */
  write(bytes: Uint8Array, onSent?: () => void): void;
  /** Stops delivery; the remote end is slowed by the flow control of the transport. */
  pauseReading(): void;
  resumeReading(): void;
  /** Closes both directions. Idempotent; `onClose` follows once. */
  close(): void;
}

export interface LinkListener {
  /** @param bytes a view of a shared buffer, valid during the call only */
  onBytes(bytes: Uint8Array): void;
  /** Called once. @param cause what the operating system said, undefined for an orderly end */
  onClose(cause: Error | undefined): void;
}

/** A way to reach peers and to be reached. */
export interface Transport {
  readonly name: string;
  /** Whether it can dial this address. */
  canDial(address: string): boolean;
  /** @throws when the remote end cannot be reached, or `signal` is aborted */
  dial(address: string, options: { readonly signal: AbortSignal }): Promise<Link>;
}
