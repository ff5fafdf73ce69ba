import { Worker } from "node:worker_threads";
import type { DiskFailure, DiskTask, Reply, RequestBody, ThreadSettings, VolumeSpec, WriteReply } from "./disk-messages.ts";
import { type StorageError, storageErrorOf } from "./errors.ts";

/** A torrent as the threads know it; `spec` is asked for when a thread first meets it. */
export interface Volume {
  readonly id: number;
  spec(): VolumeSpec;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StorageError) => void;
}

/** Tells what became of a chunk; the first argument is its index in the pool. */
export type ChunkSettled = (chunk: number, reply: WriteReply | undefined) => void;

export function failureToError(failure: DiskFailure, details: Readonly<Record<string, number>> = {}): StorageError {
  return storageErrorOf(failure.code, failure, details);
}

/** The main thread's side of one disk thread. Keeps the process alive only while something is unanswered. */
export class DiskThread {
  readonly #worker: Worker;
  readonly #onChunk: ChunkSettled;
  readonly #known = new Set<number>();
  /** BOUNDED by the calls that wait. */
  readonly #waiting = new Map<number, Waiting>();
  /** Chunks in the thread's queue. BOUNDED by the pool. */
  readonly #chunks = new Set<number>();
  readonly #exited: Promise<void>;
  #nextId = 0;
  #unanswered = 0;
  #isDead = false;

  constructor(settings: ThreadSettings, onChunk: ChunkSettled) {
    this.#onChunk = onChunk;
    // The checkout runs as it is, the published package is plain JavaScript.
    const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
    this.#worker = new Worker(new URL(`./disk-worker${extension}`, import.meta.url), {
      workerData: settings,
      name: "freshet-disk",
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on("message", (reply: number | WriteReply | Reply) => this.#receive(reply));
    // An error ends the thread, so that "exit" always follows.
    this.#worker.on("error", () => {});
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#fail();
        resolve();
      });
    });
  }

  /** Hot path. */
  write(volume: Volume, piece: number, begin: number, length: number, chunk: number): void {
    this.#chunks.add(chunk);
    this.#send(volume, { kind: "write", volume: volume.id, piece, begin, length, chunk });
    this.#expect();
  }

  forget(volume: Volume, piece: number): void {
    if (this.#known.has(volume.id)) this.#worker.postMessage({ kind: "forget", volume: volume.id, piece } satisfies DiskTask);
  }

  knows(volume: Volume): boolean {
    return this.#known.has(volume.id);
  }

  /** Sends a task and resolves with its result. @throws {StorageError} */
  request(volume: Volume, body: RequestBody): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send(volume, { ...body, id });
      this.#expect();
      if (body.kind === "close") this.#known.delete(volume.id);
    });
  }

  async close(): Promise<void> {
    if (!this.#isDead) await this.#worker.terminate();
    await this.#exited;
  }

  #send(volume: Volume, task: DiskTask): void {
    if (!this.#known.has(volume.id)) {
      this.#known.add(volume.id);
      this.#worker.postMessage({ kind: "open", spec: volume.spec() } satisfies DiskTask);
    }
    this.#worker.postMessage(task);
  }

  #expect(): void {
    if (this.#unanswered++ === 0) this.#worker.ref();
    if (this.#isDead) setImmediate(() => this.#fail());
  }

  #answered(): void {
    if (--this.#unanswered === 0) this.#worker.unref();
  }

  #receive(reply: number | WriteReply | Reply): void {
    if (typeof reply === "number") this.#settleChunk(reply, undefined);
    else if ("chunk" in reply) this.#settleChunk(reply.chunk, reply);
    else {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      this.#answered();
      if (reply.failure === undefined) waiting?.resolve(reply.result);
      else waiting?.reject(failureToError(reply.failure));
    }
  }

  #settleChunk(chunk: number, reply: WriteReply | undefined): void {
    this.#chunks.delete(chunk);
    this.#answered();
    this.#onChunk(chunk, reply);
  }

  /** Answers everything that the thread will never answer. */
  #fail(): void {
    this.#isDead = true;
    const failure: DiskFailure = { code: "STORAGE_WORKER_FAILED", path: "", operation: "use a disk thread for" };
    for (const chunk of [...this.#chunks]) this.#settleChunk(chunk, { chunk, failure });
    for (const id of [...this.#waiting.keys()]) this.#receive({ id, failure });
  }
}
