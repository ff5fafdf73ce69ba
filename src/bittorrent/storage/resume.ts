import type { Bitfield } from "#/base/bitfield.ts";
import type { StorageLayoutSource } from "./layout.ts";
import type { StorageStamps, TorrentStorage } from "./torrent-storage.ts";

export interface ResumeRecord {
  readonly infoHashHex: string;
  /** Pieces that were verified and durable. */
  readonly have: Bitfield;
  readonly stamps: StorageStamps;
  readonly folder: string;
  readonly uploaded: number;
  readonly downloaded: number;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  readonly completedAt?: number | undefined;
}

export type ResumeLoad =
  | { readonly record: ResumeRecord; readonly reason?: undefined }
  | { readonly record: undefined; readonly reason: "absent" | "damaged" | "foreign" | "other version" };

/** Resume records in one folder, a file for each torrent. */
export class ResumeStore {
  readonly folder: string;
  constructor(folder: string) {
    this.folder = folder;
  }
  /** @throws {StorageError} only when the file is there and cannot be read */
  async load(_infoHashHex: string): Promise<ResumeLoad> {
    throw new Error("not built yet");
  }
  /** Atomic and durable. @throws {StorageError} */
  async save(_record: ResumeRecord): Promise<void> {}
  async remove(_infoHashHex: string): Promise<void> {}
}

/** What a record is still worth: `trusted` pieces are on disk; pieces in `check` may be and have to be hashed. */
export function piecesToCheck(
  _record: ResumeRecord,
  _now: StorageStamps,
  _layout: StorageLayoutSource,
): { readonly trusted: Bitfield; readonly check: number[] } {
  throw new Error("not built yet");
}

export interface ResumeSaverOptions {
  readonly storage: Pick<TorrentStorage, "sync" | "fileStamps">;
  readonly store: Pick<ResumeStore, "save">;
  /** Called at the start of each save; `have` is copied. */
  readonly snapshot: () => Omit<ResumeRecord, "stamps">;
  readonly onError: (error: unknown) => void;
  /** Least time between two saves. @default 2_000 */
  readonly intervalMs?: number;
}

/** Saves a torrent's record so that no crash at any instant makes it claim a piece that is not on disk. */
export class ResumeSaver {
  constructor(_options: ResumeSaverOptions) {}
  /** Something worth saving happened. */
  changed(): void {}
  /** Starts a save if one is due; `now` is monotonic milliseconds. */
  tick(_now: number): void {}
  /** Saves now what changed; resolves when it is durable. Errors go to onError. */
  async flush(): Promise<void> {}
}
