import { compareBytes, concatBytes } from "#/base/bytes.ts";
import { type Endpoint, encodeCompactEndpoint, ipFamily, parseIp } from "#/base/ip.ts";

const CASTAGNOLI = 0x82f63b78; // reversed polynomial of CRC-32C (RFC 3720, appendix B.4)
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C of `bytes`. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * The rank of a connection between two endpoints; the same on both sides, higher is better (BEP 40).
 * @returns 0 when the addresses are of different families
 */
export function peerPriority(a: Endpoint, b: Endpoint): number {
  if (ipFamily(a.host) === undefined || ipFamily(a.host) !== ipFamily(b.host)) return 0;
  if (a.host === b.host) {
    const ports = [encodeCompactEndpoint(a).subarray(-2), encodeCompactEndpoint(b).subarray(-2)].sort(compareBytes);
    return crc32c(concatBytes(ports));
  }
  const left = parseIp(a.host);
  const right = parseIp(b.host);
  const pair = [masked(left, right), masked(right, left)].sort(compareBytes);
  return crc32c(concatBytes(pair));
}

/** The more two addresses share, the more of them counts (BEP 40: /16, /24, whole; IPv6 /48, /56, whole). */
function masked(ip: Uint8Array, other: Uint8Array): Uint8Array {
  const widths = ip.byteLength === 4 ? [2, 3] : [6, 7];
  let kept = ip.byteLength;
  for (const width of widths) {
    if (compareBytes(ip.subarray(0, width), other.subarray(0, width)) !== 0) {
      kept = width;
      break;
    }
  }
  return ip.map((byte, i) => (i < kept ? byte : byte & 0x55));
}
