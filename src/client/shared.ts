import type { ResumeStore } from "#/bittorrent/storage/index.ts";
import type { ClientConfig } from "./options.ts";

/** What a torrent gets from its client. */
export interface ClientShared {
  readonly config: ClientConfig;
  readonly peerId: Uint8Array;
  /** Sent to trackers so that they know us when our address changes (BEP 7, "key"). */
  readonly announceKey: number;
  readonly resumeStore: ResumeStore | undefined;
  /** The port that peers can reach us at. */
  port(): number;
  /** There may be someone to dial. */
  dialSoon(): void;
}
