import { BencodeError } from "#/bittorrent/bencode/index.ts";
import { type Metainfo, MetainfoError, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { CliError, NamedError } from "./errors.ts";
import { inputName, readInput } from "./files.ts";
import type { CliIo } from "./io.ts";

/** No torrent is larger: the piece hashes of 32 TiB in pieces of 4 MiB fit. */
const MAX_TORRENT_LENGTH = 256 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 60_000;

/**
 * The one torrent that a command was given, as its argument or with `-t`.
 * @throws {CliError} CLI_MISSING_ARGUMENT, CLI_EXCESS_ARGUMENT
 */
export function oneTorrent(argument: string | undefined, option: string | undefined): string {
  if (argument !== undefined && option !== undefined) {
    throw new CliError("CLI_EXCESS_ARGUMENT", `two torrents where one is wanted: ${argument} and ${option}`);
  }
  const source = argument ?? option;
  if (source === undefined)
    throw new CliError("CLI_MISSING_ARGUMENT", "no torrent is given", { hint: "name a torrent file, or - for standard input" });
  return source;
}

/**
 * Reads a torrent from a file, from an http(s) URL or, for `-`, from standard input.
 * @throws {CliError} CLI_MAGNET_UNSUPPORTED, CLI_NOT_A_TORRENT, CLI_FETCH_FAILED, and those of `readInput`
 * @throws {NamedError} what is wrong with the torrent, under the code of BencodeError or MetainfoError
 */
export async function readTorrent(source: string, io: Pick<CliIo, "stdin" | "signal">): Promise<Metainfo> {
  if (/^magnet:/i.test(source)) throw refuseMagnet(source);
  const bytes = /^https?:\/\//i.test(source)
    ? await fetchTorrent(source, io.signal)
    : await readInput(source, io, MAX_TORRENT_LENGTH);
  return parseTorrent(bytes, inputName(source));
}

export function refuseMagnet(link: string): CliError {
  return new CliError("CLI_MAGNET_UNSUPPORTED", `${link}: this version does not read magnet links`, {
    hint: "give it the torrent file",
  });
}

function parseTorrent(bytes: Uint8Array, name: string): Metainfo {
  if (bytes[0] !== 0x64) throw notATorrent(bytes, name);
  try {
    return parseMetainfo(bytes);
  } catch (error) {
    if (error instanceof MetainfoError) throw new NamedError(name, error);
    if (!(error instanceof BencodeError)) throw error;
    if (error.code === "BENCODE_TRUNCATED") throw new NamedError(`${name}: truncated torrent`, error, "fetch the torrent again");
    throw new NamedError(`${name}: not a torrent`, error);
  }
}

/** A torrent is a dictionary, which begins with `d`. */
function notATorrent(bytes: Uint8Array, name: string): CliError {
  if (bytes.byteLength === 0) return new CliError("CLI_NOT_A_TORRENT", `${name}: not a torrent: it is empty`);
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 512))
    .toString("latin1")
    .trimStart()
    .toLowerCase();
  const hint = start.startsWith("<")
    ? "it looks like a web page; perhaps the address of the page was saved and not that of the torrent"
    : undefined;
  return new CliError("CLI_NOT_A_TORRENT", `${name}: not a torrent`, { hint });
}

async function fetchTorrent(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const failed = (why: string, cause?: unknown): CliError =>
    new CliError("CLI_FETCH_FAILED", `${url}: ${why}`, { fault: "remote", cause });
  if (URL.parse(url) === null) throw new CliError("CLI_BAD_URL", `"${url}" is not a URL`);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]) });
    if (!response.ok) throw failed(`the server answers ${response.status} ${response.statusText}`.trimEnd());
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.byteLength;
      if (length > MAX_TORRENT_LENGTH)
        throw new CliError("CLI_TOO_LARGE", `${url}: larger than the ${MAX_TORRENT_LENGTH / 2 ** 20} MiB that are read`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof CliError) throw error;
    if (error instanceof Error && error.name === "TimeoutError")
      throw failed(`no answer within ${FETCH_TIMEOUT_MS / 1000} s`, error);
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw failed(reason instanceof Error ? reason.message || reason.name : String(reason), error);
  }
}
