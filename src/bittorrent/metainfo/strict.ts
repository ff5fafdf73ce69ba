import { BencodeDictionary, type BencodeIssue, type BencodeValue } from "#/bittorrent/bencode/index.ts";
import { MetainfoError } from "./errors.ts";
import type { MetainfoIssue } from "./metainfo.ts";

const MAX_ISSUES = 64;

/** Issues in the order found; only the first 64 are kept. */
export class IssueList {
  readonly items: MetainfoIssue[] = [];

  add(where: string, what: string): void {
    if (this.items.length < MAX_ISSUES) this.items.push({ where, what });
  }

  /** @param from where the decoded value begins in the torrent, in bytes */
  addNotation(issues: readonly BencodeIssue[], from: number): void {
    for (const { type, at, key } of issues) this.add(`byte ${from + at}`, key === undefined ? type : `${type} "${key}"`);
  }
}

/** What an error or issue calls the type of a value. */
export function typeName(value: BencodeValue): string {
  if (value instanceof Uint8Array) return "a byte string";
  if (value instanceof BencodeDictionary) return "a dictionary";
  return Array.isArray(value) ? "a list" : "an integer";
}

export function missing(where: string): MetainfoError {
  return new MetainfoError("METAINFO_MISSING", `the torrent has no ${where}`, { fault: "remote", details: { where } });
}

export function wrongType(where: string, value: BencodeValue, want: string): MetainfoError {
  const got = typeName(value);
  const subject = where === "" ? "the torrent" : where;
  return new MetainfoError("METAINFO_WRONG_TYPE", `${subject} is ${got}, not ${want}`, {
    fault: "remote",
    details: { where, got, want },
  });
}

/** The byte string of a key that must be there. */
export function expectBytes(dictionary: BencodeDictionary, key: string, where: string): Uint8Array {
  const value = dictionary.get(key);
  if (value === undefined) throw missing(where);
  if (!(value instanceof Uint8Array)) throw wrongType(where, value, "a byte string");
  return value;
}

/** The integer of a key that must be there: 0 to 2^53 - 1. */
export function expectSize(dictionary: BencodeDictionary, key: string, where: string): number {
  const value = dictionary.get(key);
  if (value === undefined) throw missing(where);
  if (typeof value !== "number" && typeof value !== "bigint") throw wrongType(where, value, "an integer");
  const info = { fault: "remote", details: { where, got: value } } as const;
  if (value < 0) throw new MetainfoError("METAINFO_NEGATIVE", `${where} is ${value}, below zero`, info);
  if (typeof value === "bigint") throw new MetainfoError("METAINFO_OVERFLOW", `${where} is ${value}, beyond 2^53 - 1`, info);
  return value;
}
