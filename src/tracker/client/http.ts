import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import { promisify } from "node:util";
import { gunzip, inflate, inflateRaw } from "node:zlib";
import { concatBytes } from "#/base/bytes.ts";
import { formatEndpoint } from "#/base/ip.ts";
import { parseTrackerUrl, TrackerError, type TrackerUrl, tryReadFailure } from "../protocol/index.ts";
import type { CallConfig } from "./call.ts";
import { checkDestination, type Destination, hostNotFound, resolveDestinations } from "./destination.ts";

/** Longest answer, as sent and after decompression. Attacker-controlled length: counted while it comes. */
export const MAX_ANSWER_LENGTH = 1024 * 1024;
const MAX_REDIRECTS = 5;
/** A second address of a host is tried when the first has not accepted for so long. */
const CONNECT_ATTEMPT_TIMEOUT_MS = 3000;

interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/**
 * Gets the body of a tracker's answer, following up to 5 redirects.
 * The connection is pinned to the addresses of `destination`; each redirect is looked up and checked again, and stays in its family.
 * @param first.targetOf path and query for a URL; also used for a redirect's address that has lost our query
 * @throws {TrackerError} every code but those of a scrape or a bad request
 */
export async function getFromTracker(
  first: { readonly url: TrackerUrl; readonly destination: Destination; readonly targetOf: (url: TrackerUrl) => string },
  config: CallConfig,
  signal: AbortSignal,
): Promise<Uint8Array> {
  let { url, destination } = first;
  let target = first.targetOf(url);
  let wasPublic = false;
  for (let redirects = 0; ; redirects++) {
    checkDestination(url, destination, wasPublic);
    const answer = await requestOnce(url, target, destination, config, signal);
    if (![301, 302, 303, 307, 308].includes(answer.status)) return bodyOf(answer, url);
    wasPublic ||= !destination.isLocal;
    url = redirectedTo(url, answer, redirects);
    config.logger.debug("a tracker redirects", { to: url.href });
    const { family } = destination;
    const next = (await resolveDestinations(url, config, signal)).find((each) => each.family === family);
    if (next === undefined) throw hostNotFound(url.host);
    destination = next;
    target = url.query.includes("info_hash=") ? url.path + url.query : first.targetOf(url);
  }
}

function redirectedTo(from: TrackerUrl, answer: HttpAnswer, redirectsBefore: number): TrackerUrl {
  const refuse = (why: string, cause?: unknown): TrackerError =>
    new TrackerError("TRACKER_BAD_REDIRECT", `${from.host} redirects ${why}`, {
      fault: "remote",
      details: { host: from.host, status: answer.status },
      cause,
    });
  if (redirectsBefore === MAX_REDIRECTS) throw refuse(`more than ${MAX_REDIRECTS} times`);
  if (answer.headers.location === undefined) throw refuse("without saying where to");
  let to: TrackerUrl;
  try {
    to = parseTrackerUrl(answer.headers.location, from);
  } catch (error) {
    throw refuse("to something that is no tracker's URL", error);
  }
  if (to.protocol === "udp") throw refuse("to udp");
  if (from.protocol === "https" && to.protocol === "http") throw refuse("from https to http");
  return to;
}

function bodyOf(answer: HttpAnswer, url: TrackerUrl): Uint8Array {
  if (answer.status === 200) return answer.body;
  const retryAfter = answer.headers["retry-after"] ?? "";
  throw (
    tryReadFailure(answer.body) ??
    new TrackerError("TRACKER_HTTP_STATUS", `${url.host} answered with status ${answer.status}`, {
      fault: "remote",
      details: { status: answer.status },
      retryInSeconds: /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined,
    })
  );
}

async function requestOnce(
  url: TrackerUrl,
  target: string,
  destination: Destination,
  config: CallConfig,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  try {
    const response = await send(url, target, destination, config, signal);
    const body = await readBody(response);
    return { status: response.statusCode ?? 0, headers: response.headers, body: await decompress(body, response.headers) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TrackerError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    const details = { host: url.host, port: url.port, reason };
    throw new TrackerError("TRACKER_UNREACHABLE", `${formatEndpoint({ host: url.host, port: url.port })}: ${reason}`, {
      fault: "remote",
      details,
      cause: error,
    });
  }
}

function send(
  url: TrackerUrl,
  target: string,
  destination: Destination,
  config: CallConfig,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // Not imported: the module namespace of node:http evaluates all of fetch, which costs a start 40 ms.
  const { request: send } =
    url.protocol === "https" ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http");
  const request = send({
    host: url.host,
    port: url.port,
    path: target,
    headers: { "user-agent": config.userAgent, "accept-encoding": "gzip, deflate", connection: "close" },
    agent: false,
    lookup: pinnedTo(destination),
    ...{ autoSelectFamilyAttemptTimeout: CONNECT_ATTEMPT_TIMEOUT_MS }, // handed on to net.connect
    signal,
    ...(url.auth === undefined ? {} : { auth: url.auth }),
    ...(config.certificateAuthorities === undefined ? {} : { ca: config.certificateAuthorities }),
  });
  request.on("response", resolve);
  request.on("error", reject);
  request.end();
  return promise;
}

/** Gives the checked addresses whatever is asked, so that a name cannot mean something else a moment later. */
function pinnedTo(destination: Destination): LookupFunction {
  const entries = destination.addresses.map((address) => ({ address, family: destination.family }));
  return (_host, options, callback) => {
    if (options.all === true) callback(null, entries);
    else callback(null, destination.addresses[0] as string, destination.family);
  };
}

async function readBody(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > MAX_ANSWER_LENGTH) throw tooLarge(); // leaving the loop destroys the socket
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}

async function decompress(body: Uint8Array, headers: IncomingHttpHeaders): Promise<Uint8Array> {
  const encoding = (headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (encoding === "identity" || body.byteLength === 0) return body;
  // RFC 9110, 8.4.1.2: "deflate" is the zlib format; some servers send it without the zlib header.
  const isZlib = ((body[0] as number) & 0x0f) === 8 && (((body[0] as number) << 8) | (body[1] ?? 0)) % 31 === 0;
  const expand = /^(x-)?gzip$/.test(encoding) ? gunzip : encoding === "deflate" ? (isZlib ? inflate : inflateRaw) : undefined;
  if (expand === undefined) throw badEncoding(encoding);
  try {
    return await promisify<Uint8Array, object, Uint8Array>(expand)(body, { maxOutputLength: MAX_ANSWER_LENGTH });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? tooLarge() : badEncoding(encoding, error);
  }
}

function tooLarge(): TrackerError {
  const message = `the answer is larger than ${MAX_ANSWER_LENGTH} bytes`;
  return new TrackerError("TRACKER_ANSWER_TOO_LARGE", message, { fault: "remote", details: { limit: MAX_ANSWER_LENGTH } });
}

function badEncoding(encoding: string, cause?: unknown): TrackerError {
  const message = `the answer cannot be decompressed as ${encoding}`;
  return new TrackerError("TRACKER_BAD_ANSWER", message, { fault: "remote", details: { encoding }, cause });
}
