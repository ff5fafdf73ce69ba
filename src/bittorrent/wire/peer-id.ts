import { fromLatin1, toHex, toLatin1 } from "#/base/bytes.ts";
import type { RandomSource } from "#/base/random.ts";
import { version as ownVersion } from "#/base/version.ts";
import { azureusClients, mainlineClients, shadowClients, specialClients, type VersionStyle } from "./client-names.ts";
import { localWireError } from "./errors.ts";
import { PEER_ID_LENGTH } from "./handshake.ts";

/** Our code in the style of BEP 20. */
const CLIENT_CODE = "FS";
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-";
/** Letters and digits, which need no escape in a tracker's URL. */
const RANDOM_DIGITS = 62;

/**
 * A peer id of ours: `-FS0100-` and 12 random letters and digits (BEP 20).
 * @param version up to four numbers below 36 with points between; what follows them is ignored
 * @returns 20 bytes
 * @throws {WireError} WIRE_OUT_OF_RANGE for any other version
 */
export function createPeerId(random: RandomSource, version = ownVersion): Uint8Array {
  const numbers = /^\d+(?:\.\d+){0,3}/.exec(version)?.[0].split(".").map(Number) ?? [];
  if (numbers.length === 0 || numbers.some((number) => number >= 36)) {
    throw localWireError("a version has one to four numbers below 36", { got: version });
  }
  let text = `-${CLIENT_CODE}${numbers
    .map((number) => digits[number])
    .join("")
    .padEnd(4, "0")}-`;
  while (text.length < PEER_ID_LENGTH) text += digits[random.below(RANDOM_DIGITS)];
  return fromLatin1(text);
}

/**
 * The program that a peer id claims, with its version: `qBittorrent 4.5.2`. Only printable characters come out.
 * @param id 20 bytes; any other length is unknown
 * @returns `unknown (…)` with the id in hexadecimal, or with its code when it is of a known style
 */
export function describePeerId(id: Uint8Array): string {
  if (id.byteLength === PEER_ID_LENGTH) {
    const text = toLatin1(id);
    const found = special(text) ?? azureus(text) ?? oldBitComet(id, text) ?? mainline(text) ?? shadow(text);
    if (found !== undefined) return found;
  }
  return `unknown (${toHex(id.subarray(0, PEER_ID_LENGTH))})`;
}

function special(text: string): string | undefined {
  for (const [pattern, name] of specialClients) {
    const match = pattern.exec(text);
    if (match !== null)
      return withVersion(
        name,
        match
          .slice(1)
          .join(".")
          .replace(/^0+(?=\d)/, ""),
      );
  }
  return undefined;
}

/** `-qB4520-`; µTorrent may have a further digit in place of the last dash. */
function azureus(text: string): string | undefined {
  const match = /^-([0-9A-Za-z~]{2})([0-9A-Za-z]{4})[0-9A-Za-z-]/.exec(text);
  if (match === null) return undefined;
  const [, code, version] = match as unknown as [string, string, string];
  const client = azureusClients.get(code);
  if (client !== undefined) return withVersion(client.name, formatVersion(version, client.version));
  return text[7] === "-" ? `unknown (-${code}${version}-)` : undefined;
}

function formatVersion(text: string, style: VersionStyle): string {
  const [a, b, c, d] = Array.from(text, (digit) => Number.parseInt(digit, 36)) as [number, number, number, number];
  switch (style) {
    case "three":
      return `${a}.${b}.${c}`;
    case "pairs":
      return `${10 * a + b}.${10 * c + d}`;
    case "bitcomet":
      return `${10 * a + b}.${text.slice(2)}`;
    case "transmission":
      if (a === 0) return `0.${b === 0 && c === 0 ? d : text.slice(2)}`; // -TR0072- is 0.72, -TR0006- is 0.6
      return a < 4 ? `${a}.${text.slice(1, 3)}` : `${a}.${b}.${c}`; // -TR2940- is 2.94, -TR4060- is 4.0.6
    case "none":
      return "";
    default:
      return d === 0 ? `${a}.${b}.${c}` : `${a}.${b}.${c}.${d}`;
  }
}

/** `exbc` and two bytes of version; BitLord has `LORD` behind them. */
function oldBitComet(id: Uint8Array, text: string): string | undefined {
  if (!text.startsWith("exbc") && !text.startsWith("FUTB")) return undefined;
  const name = text.slice(6, 10) === "LORD" ? "BitLord" : "BitComet";
  return withVersion(name, `${id[4]}.${String(id[5]).padStart(2, "0")}`);
}

/** `M4-3-6--`, `M4-20-8-`. */
function mainline(text: string): string | undefined {
  const match = /^(.)(\d+)-(\d+)-(\d+)-/.exec(text);
  const name = match === null ? undefined : mainlineClients.get(match[1] as string);
  return name === undefined ? undefined : withVersion(name, (match as string[]).slice(2, 5).join("."));
}

/** `T03A0----`: up to five digits of base 64, then dashes up to the sixth character, then three of a kind. */
function shadow(text: string): string | undefined {
  const match = /^([A-Z])([0-9A-Za-z.]{1,5})(-*)(?:---|-T-|\d{3})/.exec(text.slice(0, 9));
  if (match === null) return undefined;
  const [all, letter, version] = match as unknown as [string, string, string];
  const name = shadowClients.get(letter);
  if (all.length !== 9 || name === undefined) return undefined;
  return withVersion(name, Array.from(version, (digit) => digits.indexOf(digit)).join("."));
}

function withVersion(name: string, version: string): string {
  return version === "" ? name : `${name} ${version}`;
}
