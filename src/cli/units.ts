import { CliError, type CliErrorCode } from "./errors.ts";

const sizePattern = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?b)?|b)?$/i;
const exponents: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4 };

/** Bytes of `500k`, `2M`, `1.5GiB`: a bare letter and `KiB` count in 1,024, `kB` in 1,000, as GNU programs do. */
export function parseSize(text: string): number {
  return parseBytes(text, text, "CLI_BAD_SIZE", "a size such as 500k, 2M or 1.5GiB");
}

/** Bytes a second of `500k`, `2MiB/s`; 0 means no limit. */
export function parseRate(text: string): number {
  return parseBytes(text, text.replace(/\/s$/i, ""), "CLI_BAD_RATE", "a rate such as 500k or 2MiB/s");
}

function parseBytes(given: string, text: string, code: CliErrorCode, wanted: string): number {
  const match = sizePattern.exec(text.trim());
  const [, digits = "", letter, suffix] = match ?? [];
  const base = suffix?.toLowerCase() === "b" ? 1000 : 1024;
  const bytes = Math.round(Number(digits) * base ** (letter === undefined ? 0 : (exponents[letter.toLowerCase()] ?? 0)));
  const fraction = letter === undefined && digits.includes(".");
  if (match === null || fraction || !Number.isSafeInteger(bytes)) throw new CliError(code, `"${given}" is not ${wanted}`);
  return bytes;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `30s`, `10m`, `2h`, `1h30m`, `250ms`, `1d`; a bare number is seconds. */
export function parseTime(text: string): number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return checkedTime(text, Number(trimmed) * 1000);
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(trimmed)) throw badTime(text);
  let total = 0;
  for (const [, digits, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g))
    total += Number(digits) * (unitMs[unit as string] as number);
  return checkedTime(text, total);
}

function checkedTime(text: string, milliseconds: number): number {
  if (!Number.isSafeInteger(Math.round(milliseconds))) throw badTime(text);
  return Math.round(milliseconds);
}

function badTime(text: string): CliError {
  return new CliError("CLI_BAD_TIME", `"${text}" is not a length of time such as 30s, 10m or 2h`);
}

/** A whole number from `min` to `max`, both included. */
export function parseCount(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text.trim()) || value < min || value > max) {
    throw new CliError("CLI_BAD_NUMBER", `"${text}" is not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A number of 0 or more that may have a fraction, such as a ratio. */
export function parseRatio(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text.trim())) throw new CliError("CLI_BAD_NUMBER", `"${text}" is not a number of 0 or more`);
  return Number(text);
}

/** `1.50 GiB`: three digits that matter, powers of 1,024. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let value = bytes;
  let unit = -1;
  while (value >= 999.5 && unit < 4) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${"KMGTP"[unit]}iB`;
}

/** `2.10 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}

/** `340ms`, `42s`, `3m05s`, `2h07m`, `4d03h`; `-` when not known. */
export function formatTime(milliseconds: number | undefined): string {
  if (milliseconds === undefined || !Number.isFinite(milliseconds)) return "-";
  if (milliseconds > 0 && milliseconds < 999.5) return `${Math.ceil(milliseconds)}ms`;
  const seconds = Math.round(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two(Math.floor((seconds % 3600) / 60))}m`;
  return `${Math.floor(seconds / 86_400)}d${two(Math.floor((seconds % 86_400) / 3600))}h`;
}

/** `99.9 %`, never rounded up to 100. */
export function formatPercent(done: number, total: number): string {
  const share = total === 0 ? 1 : done / total;
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

/** `1,234,567`. */
export function formatCount(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
