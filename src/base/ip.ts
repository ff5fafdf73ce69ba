import { isIPv4, isIPv6 } from "node:net";

/** An IP address in its shortest text and a port: what a peer, tracker or node is reached at on the ordinary internet. */
export interface Endpoint {
  /** IPv4 dotted, or IPv6 as RFC 5952 writes it; IPv4-mapped IPv6 addresses appear as IPv4. */
  readonly host: string;
  readonly port: number;
}

/** 4 or 6 for an IP address in text, undefined for a name. */
export function ipFamily(host: string): 4 | 6 | undefined {
  return isIPv4(host) ? 4 : isIPv6(host) ? 6 : undefined;
}

/** `host:port`, with brackets around IPv6. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/**
 * Reads `host:port` or `[v6]:port`. The host may be a name; an address is brought to its canonical form.
 * @param leastPort 0 for an address to listen at, where the system chooses the port
 * @returns undefined when it is neither, or the port is not `leastPort` to 65535
 */
export function tryParseEndpoint(text: string, leastPort: 0 | 1 = 1): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, v6, plain, digits] = match;
  const port = Number(digits);
  if (port < leastPort || port > 65535) return undefined;
  if (v6 !== undefined) return isIPv6(v6) ? { host: canonicalHost(v6), port } : undefined;
  return { host: canonicalHost(plain as string), port };
}

/** One spelling for one address: IPv4-mapped IPv6 becomes IPv4, IPv6 is shortened and lower case; names are left alone. */
export function canonicalHost(host: string): string {
  if (!isIPv6(host)) return host;
  const zone = host.indexOf("%");
  return formatIp(parseIp(zone === -1 ? host : host.slice(0, zone)));
}

/** 4 or 16 bytes of an IP address in text. Throws RangeError when it is not one; check with `ipFamily` first. */
export function parseIp(host: string): Uint8Array {
  if (isIPv4(host)) return Uint8Array.from(host.split("."), Number);
  if (!isIPv6(host)) throw new RangeError(`not an IP address: ${host}`);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(host);
  let text = host;
  if (dotted !== null) {
    const [a, b, c, d] = parseIp(dotted[2] as string) as unknown as [number, number, number, number];
    text = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...new Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill("0"), ...right];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >>> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}

/** Text of 4 or 16 bytes; IPv4-mapped addresses (RFC 4291, 2.5.5.2) come out as IPv4. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.byteLength === 4) return bytes.join(".");
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart === -1) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Compact form: 6 bytes (BEP 23) or 18 bytes (BEP 7), address then port, big endian. `host` must be an address. */
export function encodeCompactEndpoint(endpoint: Endpoint): Uint8Array {
  const ip = parseIp(endpoint.host);
  const out = new Uint8Array(ip.byteLength + 2);
  out.set(ip);
  out[ip.byteLength] = endpoint.port >>> 8;
  out[ip.byteLength + 1] = endpoint.port & 0xff;
  return out;
}

/**
 * Endpoints packed one after another, as trackers and PEX send them. Entries with port 0 are left out.
 * @param family 4: 6 bytes each (BEP 23); 6: 18 bytes each (BEP 7)
 * @returns undefined when the length is no multiple of the entry's
 */
export function tryDecodeCompactEndpoints(bytes: Uint8Array, family: 4 | 6): Endpoint[] | undefined {
  const ipLength = family === 4 ? 4 : 16;
  if (bytes.byteLength % (ipLength + 2) !== 0) return undefined;
  const out: Endpoint[] = [];
  for (let at = 0; at < bytes.byteLength; at += ipLength + 2) {
    const port = ((bytes[at + ipLength] as number) << 8) | (bytes[at + ipLength + 1] as number);
    if (port !== 0) out.push({ host: formatIp(bytes.subarray(at, at + ipLength)), port });
  }
  return out;
}

/** Loopback, private, link-local, unique-local, shared (RFC 6598) or unspecified: not an address of the public internet. */
export function isLocalAddress(host: string): boolean {
  if (ipFamily(host) === undefined) return host === "localhost" || host.endsWith(".localhost");
  const bytes = parseIp(canonicalHost(host));
  const [a, b] = bytes as unknown as [number, number];
  if (bytes.byteLength === 4) {
    return (
      a === 0 ||
      a === 10 ||
      a === 127 ||
      (a === 100 && b >= 64 && b < 128) ||
      (a === 169 && b === 254) ||
      (a === 172 && b >= 16 && b < 32) ||
      (a === 192 && b === 168)
    );
  }
  const unspecifiedOrLoopback = bytes.subarray(0, 15).every((byte) => byte === 0) && (bytes[15] as number) <= 1;
  return unspecifiedOrLoopback || (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80);
}
