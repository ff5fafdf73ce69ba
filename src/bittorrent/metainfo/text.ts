import { isUtf8 } from "node:buffer";
import { toLatin1 } from "#/base/bytes.ts";

/** Decodes the names of one torrent: UTF-8, else what its `encoding` key names, else UTF-8 with bad bytes as U+FFFD. */
export class TextReader {
  readonly #fallback: TextDecoder | undefined;

  constructor(encoding: string | undefined) {
    this.#fallback = tryDecoder(encoding);
  }

  text(bytes: Uint8Array): string {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    return this.#fallback === undefined || !text.includes("\ufffd") || isUtf8(bytes) ? text : this.#fallback.decode(bytes);
  }

  /** A text that no other bytes have: two names of bad UTF-8 may be shown the same and still be two names. */
  identity(bytes: Uint8Array, text: string): string {
    const faithful = (this.#fallback === undefined && !text.includes("\ufffd")) || isUtf8(bytes);
    return faithful ? text : `\ud800${toLatin1(bytes)}`; // a lone surrogate comes from no UTF-8
  }
}

function tryDecoder(label: string | undefined): TextDecoder | undefined {
  if (label === undefined || /^\s*utf-?8\s*$/i.test(label)) return undefined;
  try {
    return new TextDecoder(label);
  } catch {
    return undefined; // no encoding of that name
  }
}
