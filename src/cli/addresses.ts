import { type Endpoint, ipFamily, tryParseEndpoint } from "#/base/ip.ts";
import { CliError } from "./errors.ts";

/** `ISD-AS,[IP]:port`, also without brackets for IPv4, and without a port. */
const scionPattern = /^\d{1,5}-[0-9a-f_:]+,.+$/i;

/**
 * Reads the address of a peer: `host:port` or `[v6]:port`.
 * @throws {CliError} CLI_BAD_ADDRESS; CLI_SCION_UNSUPPORTED for a SCION address
 */
export function parsePeerAddress(text: string): Endpoint {
  refuseScion(text);
  const endpoint = tryParseEndpoint(text);
  if (endpoint === undefined) {
    const hint = ipFamily(text) === 6 ? `an IPv6 address stands in brackets: [${text}]:6881` : undefined;
    throw new CliError("CLI_BAD_ADDRESS", `"${text}" is not an address such as 192.0.2.1:6881 or [2001:db8::1]:6881`, { hint });
  }
  return endpoint;
}

/**
 * Reads an address to listen at: an IP address, with or without a port; port 0 is any that is free.
 * @throws {CliError} CLI_BAD_ADDRESS; CLI_SCION_UNSUPPORTED for a SCION address
 */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number | undefined } {
  refuseScion(text);
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (ipFamily(bare) !== undefined) return { host: bare, port: undefined };
  const endpoint = tryParseEndpoint(text, 0);
  if (endpoint === undefined || ipFamily(endpoint.host) === undefined) {
    throw new CliError(
      "CLI_BAD_ADDRESS",
      `"${text}" is not an IP address to listen at, such as 127.0.0.1, 0.0.0.0:6881 or [::1]:6881`,
    );
  }
  return endpoint;
}

function refuseScion(text: string): void {
  if (!scionPattern.test(text)) return;
  throw new CliError("CLI_SCION_UNSUPPORTED", `${text} is a SCION address, and this version reaches IP addresses only`, {
    hint: "give the peer's IP address as host:port",
  });
}

/**
 * Checks the URL of a tracker.
 * @throws {CliError} CLI_BAD_URL; CLI_SCION_UNSUPPORTED when its host is a SCION address
 */
export function parseTrackerUrl(text: string): string {
  const scionHost = /^[a-z]+:\/\/\[?(\d{1,5}-[0-9a-f_:]+,[^\]/]+)/i.exec(text);
  if (scionHost !== null) refuseScion(scionHost[1] as string);
  return parseUrl(
    text,
    ["http:", "https:", "udp:"],
    "a tracker's URL such as http://tracker.example/announce or udp://tracker.example:6969",
  );
}

/** @throws {CliError} CLI_BAD_URL */
export function parseWebSeedUrl(text: string): string {
  return parseUrl(text, ["http:", "https:", "ftp:"], "the URL of a web seed such as https://example.org/files/");
}

function parseUrl(text: string, protocols: readonly string[], wanted: string): string {
  const url = URL.parse(text);
  if (url === null || !protocols.includes(url.protocol) || url.hostname === "")
    throw new CliError("CLI_BAD_URL", `"${text}" is not ${wanted}`);
  return text;
}
