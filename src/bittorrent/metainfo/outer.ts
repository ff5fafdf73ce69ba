import type { BencodeDictionary, BencodeValue } from "#/bittorrent/bencode/index.ts";
import type { OuterFields, TorrentNode } from "./metainfo.ts";
import { type IssueList, typeName } from "./strict.ts";
import type { TextReader } from "./text.ts";

// A URL goes into requests: no control character may be in it. SCION hosts are no URL by the rules of browsers.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const URL_SHAPE = /^[a-z][a-z0-9+.-]*:\/\/[^\u0000-\u001f\u007f]+$/i;
const LAST_DATE_SECONDS = 8_640_000_000_000; // of `Date`

/** Reads what stands beside `info`. Nothing of it is needed to use a torrent, so what is wrong becomes an issue. */
export function readOuterFields(root: BencodeDictionary, reader: TextReader, issues: IssueList): OuterFields {
  const context = { root, reader, issues };
  const comment = readText(context, "comment.utf-8") ?? readText(context, "comment");
  const createdBy = readText(context, "created by");
  const encoding = readText(context, "encoding");
  const creationDate = readDate(context, "creation date");
  return {
    trackers: readTrackers(context),
    webSeeds: readUrls(context, "url-list"),
    httpSeeds: readUrls(context, "httpseeds"),
    nodes: readNodes(context),
    ...(comment !== undefined && { comment }),
    ...(createdBy !== undefined && { createdBy }),
    ...(creationDate !== undefined && { creationDate }),
    ...(encoding !== undefined && { encoding }),
  };
}

interface OuterContext {
  readonly root: BencodeDictionary;
  readonly reader: TextReader;
  readonly issues: IssueList;
}

function readText({ root, reader, issues }: OuterContext, key: string): string | undefined {
  const value = root.get(key);
  if (value === undefined) return undefined;
  if (value instanceof Uint8Array) return reader.text(value);
  issues.add(key, `${typeName(value)}, not a byte string`);
  return undefined;
}

function readDate({ root, issues }: OuterContext, key: string): Date | undefined {
  const value = root.get(key);
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 0 && value <= LAST_DATE_SECONDS) return new Date(value * 1000);
  issues.add(key, "not a time in seconds since 1970");
  return undefined;
}

/** BEP 12: where `announce-list` names any tracker, `announce` is not used. */
function readTrackers(context: OuterContext): string[][] {
  const { root, issues } = context;
  const seen = new Set<string>();
  const tiers: string[][] = [];
  const list = root.get("announce-list");
  if (Array.isArray(list)) {
    list.forEach((tier, i) => {
      const where = `announce-list.${i}`;
      if (!Array.isArray(tier)) issues.add(where, `${typeName(tier)}, not a list`);
      const urls = fresh(urlsOf(context, Array.isArray(tier) ? tier : [tier], where), seen);
      if (urls.length > 0) tiers.push(urls);
    });
  } else if (list !== undefined) issues.add("announce-list", `${typeName(list)}, not a list`);
  if (tiers.length > 0) return tiers;
  const announce = root.get("announce");
  const urls = announce === undefined ? [] : urlsOf(context, [announce], "announce");
  return urls.length > 0 ? [urls] : [];
}

/** One URL, or a list of them. */
function readUrls(context: OuterContext, key: string): string[] {
  const value = context.root.get(key);
  if (value === undefined) return [];
  return fresh(urlsOf(context, Array.isArray(value) ? value : [value], key), new Set());
}

function urlsOf({ reader, issues }: OuterContext, values: readonly BencodeValue[], where: string): string[] {
  const urls: string[] = [];
  for (const value of values) {
    if (!(value instanceof Uint8Array)) {
      issues.add(where, `${typeName(value)}, not a byte string`);
      continue;
    }
    const text = reader.text(value).trim();
    if (URL_SHAPE.test(text)) urls.push(text);
    else if (text !== "") issues.add(where, "not a URL"); // empty ones are common, and mean none
  }
  return urls;
}

function fresh(urls: readonly string[], seen: Set<string>): string[] {
  return urls.filter((url) => {
    if (seen.has(url)) return false;
    seen.add(url);
    return true;
  });
}

function readNodes({ root, reader, issues }: OuterContext): TorrentNode[] {
  const value = root.get("nodes");
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    issues.add("nodes", `${typeName(value)}, not a list`);
    return [];
  }
  const nodes: TorrentNode[] = [];
  value.forEach((pair, i) => {
    const [host, port] = Array.isArray(pair) ? pair : [];
    if (host instanceof Uint8Array && host.byteLength > 0 && typeof port === "number" && port >= 1 && port <= 65535) {
      nodes.push({ host: reader.text(host), port });
    } else issues.add(`nodes.${i}`, "not a host and a port");
  });
  return nodes;
}
