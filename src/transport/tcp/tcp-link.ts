import type { Socket } from "node:net";
import { canonicalHost, formatEndpoint } from "#/base/ip.ts";

/** Bytes read at once. One buffer serves every socket, since what is read is taken within the call. */
const READ_LENGTH = 256 * 1024;
const readBuffer = new Uint8Array(READ_LENGTH); // no Buffer, whose slice() would not copy

/** Who gets the bytes of a link; the swarm's `LinkListener` fits it. */
export interface TcpLinkListener {
  onBytes(bytes: Uint8Array): void;
  onClose(cause: Error | undefined): void;
}

const nothing = (): void => {};

/** One TCP connection. Reads land in a buffer that all links share; see `onBytes`. */
export class TcpLink {
  readonly transport = "tcp";
  readonly address: string;
  readonly host: string;
  readonly #socket: Socket;
  #listener: TcpLinkListener | undefined;
  #cause: Error | undefined;
  #isOver = false;

  /** @param socket connected, made with `onread` options of `readInto`, and paused */
  constructor(socket: Socket, bound: ReadTarget) {
    this.#socket = socket;
    this.host = canonicalHost(socket.remoteAddress ?? "0.0.0.0");
    this.address = formatEndpoint({ host: this.host, port: socket.remotePort ?? 0 });
    bound.deliver = (bytes) => this.#listener?.onBytes(bytes);
    socket.setNoDelay(true);
    socket.on("error", (error) => {
      this.#cause = error;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      this.#isOver = true;
      this.#listener?.onClose(this.#cause);
    });
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  start(listener: TcpLinkListener): void {
    this.#listener = listener;
    if (this.#isOver) queueMicrotask(() => listener.onClose(this.#cause));
    else this.#socket.resume();
  }

  write(bytes: Uint8Array, onSent: () => void = nothing): void {
    if (this.#isOver || this.#socket.destroyed) {
      queueMicrotask(onSent);
      return;
    }
    this.#socket.write(bytes, () => onSent());
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Where the bytes of a socket go; set once its link exists. */
export interface ReadTarget {
  deliver: (bytes: Uint8Array) => void;
}

/** Socket options that read into the shared buffer and hand views of it to `target`. */
export function readInto(target: ReadTarget): { buffer: Uint8Array; callback: (length: number, buffer: Uint8Array) => boolean } {
  return {
    buffer: readBuffer,
    callback: (length, buffer) => {
      target.deliver(buffer.subarray(0, length));
      return true;
    },
  };
}
