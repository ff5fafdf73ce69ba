import { createHash } from "node:crypto";
import { promises } from "node:fs";
import { join } from "node:path";
import { Bitfield } from "#/base/bitfield.ts";
import { toStorageError } from "./errors.ts";
import { syncFolder } from "./file-sync.ts";
import { codeOf } from "./inside.ts";
import { type StorageLayoutSource, tablesOf } from "./layout.ts";
import { fileFlag, PARTS_FILE, SpanTable, ZEROS } from "./span-table.ts";
import type { FileStamp, StorageStamps } from "./torrent-storage.ts";

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

const FORMAT = "freshet resume record";
const VERSION = 1;
/** Of a record on disk; a torrent of a million files stays below. */
const MAX_RECORD_LENGTH = 256 * 1024 * 1024;

/** Size, and nanoseconds since 1970 as decimal text. */
type StampRow = readonly [size: number, mtimeNs: string] | null;

interface RecordBody {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly infoHash: string;
  readonly pieceCount: number;
  /** The bitfield in base64. */
  readonly have: string;
  readonly folder: string;
  readonly files: readonly StampRow[];
  readonly parts: StampRow;
  readonly skipped: readonly number[];
  readonly uploaded: number;
  readonly downloaded: number;
  readonly addedAt: number;
  readonly completedAt?: number | undefined;
}

/** Resume records in one folder, a file of two lines for each torrent: the record as JSON, and the SHA-256 of that line. */
export class ResumeStore {
  readonly folder: string;
  /** Writes of one record come one after another. BOUNDED by the torrents being saved. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** @throws {StorageError} only when the file is there and cannot be read */
  async load(infoHashHex: string): Promise<ResumeLoad> {
    const path = this.#pathOf(infoHashHex);
    let text: string;
    try {
      if ((await promises.stat(path)).size > MAX_RECORD_LENGTH) return { record: undefined, reason: "damaged" };
      text = await promises.readFile(path, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return { record: undefined, reason: "absent" };
      throw toStorageError(error, { path, operation: "read" });
    }
    return parseRecord(text, infoHashHex);
  }

  /** Replaces the record atomically; durable when the promise resolves. @throws {StorageError} */
  save(record: ResumeRecord): Promise<void> {
    return this.#inTurn(record.infoHashHex, async (path) => {
      const temporary = `${path}.new`;
      await promises.mkdir(this.folder, { recursive: true });
      const file = await promises.open(temporary, "w");
      try {
        await file.writeFile(formatRecord(record));
        await file.datasync();
      } finally {
        await file.close();
      }
      await promises.rename(temporary, path);
      await syncFolder(this.folder);
    });
  }

  /** Removes the record if there is one. @throws {StorageError} */
  remove(infoHashHex: string): Promise<void> {
    return this.#inTurn(infoHashHex, async (path) => {
      await promises.rm(`${path}.new`, { force: true });
      await promises.rm(path, { force: true });
    });
  }

  #inTurn(infoHashHex: string, action: (path: string) => Promise<void>): Promise<void> {
    const path = this.#pathOf(infoHashHex);
    const before = this.#turns.get(infoHashHex) ?? Promise.resolve();
    const own = before.then(async () => {
      try {
        await action(path);
      } catch (error) {
        throw toStorageError(error, { path, operation: "save" });
      }
    });
    const settled = own
      .catch(() => {})
      .then(() => {
        if (this.#turns.get(infoHashHex) === settled) this.#turns.delete(infoHashHex);
      });
    this.#turns.set(infoHashHex, settled);
    return own;
  }

  #pathOf(infoHashHex: string): string {
    if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(infoHashHex)) throw new RangeError(`not an info hash: ${infoHashHex}`);
    return join(this.folder, `${infoHashHex}.json`);
  }
}

function checksum(line: string): string {
  return createHash("sha256").update(line).digest("hex");
}

function toRow(stamp: FileStamp | undefined): StampRow {
  return stamp === undefined ? null : [stamp.size, String(stamp.mtimeNs)];
}

function fromRow(row: StampRow): FileStamp | undefined {
  return row === null ? undefined : { size: row[0], mtimeNs: BigInt(row[1]) };
}

function formatRecord(record: ResumeRecord): string {
  const { infoHashHex, have, stamps, folder, uploaded, downloaded, addedAt, completedAt } = record;
  const body: RecordBody = {
    format: FORMAT,
    version: VERSION,
    infoHash: infoHashHex,
    pieceCount: have.length,
    have: Buffer.from(have.bytes).toString("base64"),
    folder,
    files: stamps.files.map(toRow),
    parts: toRow(stamps.parts),
    skipped: stamps.skipped,
    uploaded,
    downloaded,
    addedAt,
    completedAt,
  };
  const line = JSON.stringify(body);
  return `${line}\n${checksum(line)}\n`;
}

function parseRecord(text: string, infoHashHex: string): ResumeLoad {
  const [line = "", sum] = text.split("\n", 2);
  if (sum !== checksum(line)) return { record: undefined, reason: "damaged" };
  let body: Partial<Record<keyof RecordBody, unknown>>;
  try {
    body = JSON.parse(line) as typeof body;
  } catch {
    return { record: undefined, reason: "damaged" };
  }
  if (body?.format !== FORMAT || body.infoHash !== infoHashHex) return { record: undefined, reason: "foreign" };
  if (body.version !== VERSION) return { record: undefined, reason: "other version" };
  if (!isRecordBody(body)) return { record: undefined, reason: "damaged" };
  const have = Bitfield.tryFrom(Uint8Array.from(Buffer.from(body.have, "base64")), body.pieceCount);
  if (have === undefined) return { record: undefined, reason: "damaged" };
  const { folder, uploaded, downloaded, addedAt, completedAt } = body;
  const stamps = { files: body.files.map(fromRow), parts: fromRow(body.parts), skipped: body.skipped };
  return { record: { infoHashHex, have, stamps, folder, uploaded, downloaded, addedAt, completedAt } };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isStampRow(row: unknown): row is StampRow {
  return row === null || (Array.isArray(row) && row.length === 2 && isCount(row[0]) && /^-?\d{1,20}$/.test(String(row[1])));
}

function isRecordBody(body: Partial<Record<keyof RecordBody, unknown>>): body is RecordBody {
  return (
    isCount(body.pieceCount) &&
    typeof body.have === "string" &&
    typeof body.folder === "string" &&
    Array.isArray(body.files) &&
    body.files.every(isStampRow) &&
    isStampRow(body.parts) &&
    Array.isArray(body.skipped) &&
    body.skipped.every(isCount) &&
    isCount(body.uploaded) &&
    isCount(body.downloaded) &&
    isCount(body.addedAt) &&
    (body.completedAt === undefined || isCount(body.completedAt))
  );
}

/**
 * What a record is still worth. `trusted`: pieces of the record of which every file has the recorded size and modification time.
 * `check`: pieces, in the record or not, that touch a file that changed; the rest is known to be missing.
 */
export function piecesToCheck(
  record: ResumeRecord,
  now: StorageStamps,
  layout: StorageLayoutSource,
): { readonly trusted: Bitfield; readonly check: number[] } {
  const tables = tablesOf(layout);
  const table = new SpanTable(tables);
  const { have, stamps: then } = record;
  const fits =
    record.infoHashHex === layout.infoHashHex && have.length === table.pieceCount && then.files.length === layout.files.length;
  const movedEdges = new Set<number>();
  const wasSkipped = new Set(then.skipped);
  const isSkipped = new Set(now.skipped);
  for (const file of new Set([...then.skipped, ...now.skipped])) {
    if (file >= layout.files.length) continue;
    if (wasSkipped.has(file) !== isSkipped.has(file)) for (const { piece } of table.edges(file)) movedEdges.add(piece);
    if (isSkipped.has(file)) for (const { flag } of table.edges(file)) tables.flags[file] = (tables.flags[file] as number) | flag;
  }
  const isSame = (file: number): boolean =>
    file === PARTS_FILE ? isSameStamp(then.parts, now.parts) : isSameStamp(then.files[file], now.files[file]);
  const isVirtual = (file: number): boolean => ((tables.flags[file] as number) & fileFlag.virtual) !== 0;
  const partsMatter = now.skipped.length > 0;
  if (
    fits &&
    movedEdges.size === 0 &&
    (!partsMatter || isSame(PARTS_FILE)) &&
    then.files.every((_, file) => isVirtual(file) || isSame(file))
  ) {
    return { trusted: have.clone(), check: [] };
  }
  const trusted = new Bitfield(table.pieceCount);
  const check: number[] = [];
  for (let piece = 0; piece < table.pieceCount; piece++) {
    const files = table.spans(piece, 0, table.pieceSize(piece)).flatMap(({ file }) => (file === ZEROS ? [] : [file]));
    if (fits && !movedEdges.has(piece) && files.every(isSame)) {
      if (have.has(piece)) trusted.add(piece);
    } else if (files.every((file) => (file === PARTS_FILE ? now.parts : now.files[file]) !== undefined)) check.push(piece);
  }
  return { trusted, check };
}

/** A file that is not there is never the same: nothing in it can be trusted. */
function isSameStamp(a: FileStamp | undefined, b: FileStamp | undefined): boolean {
  return a !== undefined && b !== undefined && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
