/** What the main thread and the disk threads say to each other. Types only. */
import type { SpanTableSource } from "./span-table.ts";

/** What a disk thread learns of a torrent, or of the files that a torrent is being made of. */
export interface VolumeSpec extends SpanTableSource {
  readonly volume: number;
  /** Undefined when `paths` are the user's own and go anywhere: files to make a torrent of. */
  readonly folder: string | undefined;
  /** One for each file, relative to the folder, names joined by "/". */
  readonly paths: readonly string[];
  readonly partsPath: string;
  /** SHA-1 digests of 20 bytes in shared memory; empty when there is nothing to compare with. */
  readonly pieces: Uint8Array;
  readonly preallocate: "sparse" | "full" | "none";
  /** Unit in which pieces are written, in bytes. */
  readonly chunkLength: number;
}

export interface ThreadSettings {
  readonly memory: SharedArrayBuffer;
  readonly chunkLength: number;
  readonly maxOpenFiles: number;
}

/** A failed system call, by its name ("ENOSPC") or a code of storageErrorCodes. */
export interface DiskFailure {
  readonly code: string;
  readonly path: string;
  readonly operation: string;
}

export interface WriteTask {
  readonly kind: "write";
  readonly volume: number;
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
  /** Index in the chunk pool. */
  readonly chunk: number;
}

/** Tasks that are answered by a Reply with the same id. */
export type RequestBody = { readonly volume: number } & (
  | { readonly kind: "digest"; readonly piece: number }
  | { readonly kind: "check" | "hash"; readonly first: number; readonly count: number }
  | {
      readonly kind: "prepare";
      readonly links: readonly { readonly path: string; readonly target: string }[];
      /** Files that are not to be made. */
      readonly skipped: readonly number[];
    }
  | { readonly kind: "fill"; readonly file: number; readonly from: number; readonly length: number }
  | { readonly kind: "stamps" }
  | {
      readonly kind: "skip";
      readonly file: number;
      /** One of the pieces of SpanTable.edges, with its bit. */
      readonly piece: number;
      readonly flag: number;
      readonly skipped: boolean;
      /** Whether this thread moves the bytes: the one that writes the piece does. */
      readonly move: boolean;
    }
  | { readonly kind: "close"; readonly removeParts: boolean }
);
export type RequestTask = RequestBody & { readonly id: number };

export type DiskTask =
  | WriteTask
  | RequestTask
  | { readonly kind: "open"; readonly spec: VolumeSpec }
  | { readonly kind: "forget"; readonly volume: number; readonly piece: number };

/** Answer to a write that did not simply succeed in the middle of a piece; that one is answered by the chunk's index alone. */
export interface WriteReply {
  readonly chunk: number;
  readonly failure?: DiskFailure;
  /** Present when the piece is complete. */
  readonly ok?: boolean;
  readonly blockDigests?: Uint8Array;
}

export interface Reply {
  readonly id: number;
  readonly failure?: DiskFailure;
  readonly result?: unknown;
}

/** Answer to "check": a byte for each piece, 1 when right; failures other than missing or short files. */
export interface CheckResult {
  readonly ok: Uint8Array;
  readonly failure: DiskFailure | undefined;
}

/** Answer to "stamps": one for each file and one more for the parts file; size -1 where there is no regular file. */
export interface StampsResult {
  readonly sizes: Float64Array;
  readonly mtimesNs: BigInt64Array;
}

/** Answer to "skip": whether bytes were moved. */
export type SkipResult = boolean;

/** Answer to "prepare". */
export interface PrepareResult {
  /** The topmost folder that had to be made, if any. */
  readonly firstFolderMade: string | undefined;
  /** Files, or PARTS_FILE, that bytes were moved to. */
  readonly written: readonly number[];
  /** Links that could not be made, which harms no data. */
  readonly failedLinks: readonly DiskFailure[];
}
