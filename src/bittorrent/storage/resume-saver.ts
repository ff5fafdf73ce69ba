import type { ResumeRecord, ResumeStore } from "./resume-store.ts";
import type { TorrentStorage } from "./torrent-storage.ts";

export interface ResumeSaverOptions {
  readonly storage: Pick<TorrentStorage, "sync" | "fileStamps">;
  readonly store: Pick<ResumeStore, "save">;
  /** Called at the start of each save; `have` is copied. */
  readonly snapshot: () => Omit<ResumeRecord, "stamps">;
  readonly onError: (error: unknown) => void;
  /** Least time between the starts of two saves. @default 2_000 */
  readonly intervalMs?: number;
}

/**
 * Saves a torrent's record so that no crash at any instant makes it claim a piece that is not on disk.
 *
 * The order does it: what is claimed is copied first, then made durable, then the files are looked at, then the record is written.
 * A piece that comes meanwhile is not in the copy; it changes a modification time, so that its file is checked after a crash.
 */
export class ResumeSaver {
  readonly #options: ResumeSaverOptions;
  readonly #intervalMs: number;
  #isDirty = false;
  #lastStart = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(options: ResumeSaverOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? 2_000;
  }

  /** Something worth saving happened. */
  changed(): void {
    this.#isDirty = true;
  }

  /** Starts a save if one is due; `now` is monotonic milliseconds. A save that failed is tried again when the next is due. */
  tick(now: number): void {
    if (!this.#isDirty || this.#running !== undefined || now - this.#lastStart < this.#intervalMs) return;
    this.#lastStart = now;
    void this.#begin();
  }

  /** Waits for the save under way and saves what changed since, once. Errors go to onError. */
  async flush(): Promise<void> {
    await this.#running;
    if (this.#isDirty) await (this.#running ?? this.#begin());
  }

  #begin(): Promise<void> {
    this.#running = this.#save().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #save(): Promise<void> {
    const { storage, store, snapshot, onError } = this.#options;
    this.#isDirty = false;
    try {
      const claimed = snapshot();
      const have = claimed.have.clone();
      await storage.sync();
      const stamps = await storage.fileStamps();
      await store.save({ ...claimed, have, stamps });
    } catch (error) {
      this.#isDirty = true;
      onError(error);
    }
  }
}
