import type { Logger } from "#/base/log.ts";
import { type Handshaking, type Link, reasonCode, type Swarm, type Transport } from "#/bittorrent/swarm/index.ts";

export interface DialerOptions {
  readonly transports: readonly Transport[];
  readonly maxHalfOpen: number;
  readonly maxPeers: number;
  readonly logger: Logger;
  /** Peers and handshakes over all torrents. */
  readonly connectionCount: () => number;
  readonly now: () => number;
  /** The link is up: shake hands for this swarm. */
  readonly onLink: (link: Link, swarm: Swarm, address: string) => Handshaking;
}

/** Opens connections to the candidates of all swarms, in turn, within the limits of the client. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #abort = new AbortController();
  #halfOpen = 0;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  get halfOpenCount(): number {
    return this.#halfOpen;
  }

  /** Dials while limits and candidates allow. */
  run(swarms: Iterable<Swarm>): void {
    let eager = [...swarms].filter((swarm) => swarm.wantsPeers);
    while (eager.length > 0) eager = eager.filter((swarm) => this.#dialOne(swarm));
  }

  close(): void {
    this.#abort.abort();
  }

  #dialOne(swarm: Swarm): boolean {
    const { maxHalfOpen, maxPeers, connectionCount, now, transports } = this.#options;
    if (this.#halfOpen >= maxHalfOpen || connectionCount() + this.#halfOpen >= maxPeers || !swarm.wantsPeers) return false;
    const address = swarm.candidates.take(now());
    if (address === undefined) return false;
    const transport = transports.find((each) => each.canDial(address));
    if (transport === undefined) {
      swarm.candidates.forget(address);
      return true;
    }
    this.#halfOpen++;
    swarm.counters.dialsStarted++;
    void this.#dial(swarm, transport, address).finally(() => {
      this.#halfOpen--;
    });
    return true;
  }

  async #dial(swarm: Swarm, transport: Transport, address: string): Promise<void> {
    const { now, logger, onLink } = this.#options;
    try {
      const link = await transport.dial(address, { signal: this.#abort.signal });
      if (this.#abort.signal.aborted || !swarm.isRunning) {
        link.close();
        swarm.candidates.closed(address, now(), "unused");
        return;
      }
      onLink(link, swarm, address).start();
    } catch (error) {
      swarm.counters.dialsFailed++;
      swarm.candidates.closed(address, now(), "failed");
      logger.debug("dial failed", { address, code: error instanceof Error ? reasonCode(error) : "INTERNAL" });
    }
  }
}
