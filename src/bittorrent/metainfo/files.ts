import { isUtf8 } from "node:buffer";
import { BencodeDictionary, type BencodeValue, ListDecoder } from "#/bittorrent/bencode/index.ts";
import { MetainfoError } from "./errors.ts";
import type { TorrentFile } from "./metainfo.ts";
import { PathTree } from "./path-tree.ts";
import type { NameRules } from "./safe-names.ts";
import { safeName } from "./safe-names.ts";
import { expectSize, type IssueList, missing, wrongType } from "./strict.ts";
import type { TextReader } from "./text.ts";

/** What the `attr` of a file says (BEP 47, "file attributes"). */
interface Attributes {
  readonly padding: boolean;
  readonly executable: boolean;
  readonly hidden: boolean;
  readonly symlink: boolean;
}

const NO_ATTRIBUTES: Attributes = { padding: false, executable: false, hidden: false, symlink: false };
const OLD_PADDING_PREFIX = "_____padding_file_"; // how BitComet names padding, without `attr`

/** Most values in a torrent: bounds what a hostile one makes us allocate; half a million files have fewer. */
export const MAX_VALUES = 4_000_000;

/** How names are read and made safe. */
export interface NameContext {
  readonly names: NameRules;
  readonly reader: TextReader;
  readonly issues: IssueList;
}

/** Reads the attributes of a file from the dictionary that describes it. */
export function readAttributes(dictionary: BencodeDictionary, where: () => string): Attributes {
  const attr = dictionary.get("attr");
  if (attr === undefined) return NO_ATTRIBUTES;
  if (!(attr instanceof Uint8Array)) throw wrongType(`${where()}.attr`, attr, "a byte string");
  const has = (letter: string): boolean => attr.includes(letter.charCodeAt(0));
  return { padding: has("p"), executable: has("x"), hidden: has("h"), symlink: has("l") };
}

interface PendingLink {
  readonly index: number;
  readonly where: string;
  readonly texts: readonly string[];
  readonly identities: readonly string[];
}

/** Reads `info.files` item by item, so that a torrent of many files needs memory for the result alone. */
export class FileListReader {
  readonly files: TorrentFile[] = [];
  totalLength = 0;
  readonly #context: NameContext;
  readonly #folder: string;
  readonly #tree: PathTree;
  readonly #links: PendingLink[] = [];
  // The parts of the path that was read last: as shown, and as they are told from others.
  #texts: string[] = [];
  #identities: string[] = [];

  /** @param folder safe name of the torrent's folder */
  constructor(folder: string, context: NameContext) {
    this.#context = context;
    this.#folder = folder;
    this.#tree = new PathTree(folder, context.names);
  }

  /**
   * @param list the bytes of the value as it stands
   * @param at where it begins in the torrent, for issues
   * @throws {MetainfoError} as `parseMetainfo`
   */
  read(list: Uint8Array, at: number): void {
    const decoder = new ListDecoder(list, { maxValues: MAX_VALUES });
    for (let value = decoder.next(); value !== undefined; value = decoder.next()) {
      const index = this.files.length;
      if (!(value instanceof BencodeDictionary)) throw wrongType(`info.files.${index}`, value, "a dictionary");
      this.#file(value, index);
    }
    this.#context.issues.addNotation(decoder.issues, at);
    if (this.files.length === 0) throw new MetainfoError("METAINFO_NO_FILES", "info.files is empty", { fault: "remote" });
    for (const link of this.#links) this.#resolve(link);
  }

  #file(dictionary: BencodeDictionary, index: number): void {
    const where = (): string => `info.files.${index}`;
    const attributes = readAttributes(dictionary, where);
    const length = attributes.symlink ? 0 : expectSize(dictionary, "length", `${where()}.length`);
    this.#readPath(dictionary, where);
    const path = this.#texts;
    const padding = attributes.padding || (path.at(-1) as string).startsWith(OLD_PADDING_PREFIX);
    const safePath = padding ? this.#paddingPath(path) : this.#tree.tryAdd(path, this.#identities);
    if (safePath === undefined) {
      const details = { where: where(), path: path.join("/") };
      throw new MetainfoError("METAINFO_DUPLICATE_PATH", `a second file has the path ${details.path}`, {
        fault: "remote",
        details,
      });
    }
    const { executable, hidden } = attributes;
    this.files.push({ index, path, safePath, length, offset: this.totalLength, padding, executable, hidden });
    this.totalLength += length;
    if (this.totalLength > Number.MAX_SAFE_INTEGER) {
      throw new MetainfoError("METAINFO_OVERFLOW", "the files together are longer than 2^53 - 1 bytes", {
        fault: "remote",
        details: { where: `${where()}.length`, got: length },
      });
    }
    if (attributes.symlink && !padding) this.#link(dictionary, index, where());
  }

  #readPath(dictionary: BencodeDictionary, where: () => string): void {
    const preferred = dictionary.get("path.utf-8");
    if (
      preferred !== undefined &&
      Array.isArray(preferred) &&
      preferred.every((part) => part instanceof Uint8Array && isUtf8(part))
    ) {
      this.#readParts(preferred, where, "path.utf-8");
      return;
    }
    const path = dictionary.get("path");
    if (preferred !== undefined) {
      if (path === undefined) throw wrongType(`${where()}.path.utf-8`, preferred, "a list of UTF-8 byte strings");
      this.#context.issues.add(`${where()}.path.utf-8`, "not a list of UTF-8 byte strings");
    }
    if (path === undefined) throw missing(`${where()}.path`);
    if (!Array.isArray(path)) throw wrongType(`${where()}.path`, path, "a list");
    this.#readParts(path, where, "path");
  }

  #readParts(parts: readonly BencodeValue[], where: () => string, key: string): void {
    if (parts.length === 0) throw emptyPath(`${where()}.${key}`);
    const { reader } = this.#context;
    const texts: string[] = new Array(parts.length);
    let identities = texts;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as BencodeValue;
      if (!(part instanceof Uint8Array)) throw wrongType(`${where()}.${key}.${i}`, part, "a byte string");
      if (part.byteLength === 0) throw emptyPath(`${where()}.${key}.${i}`);
      const text = i < parts.length - 1 ? reader.repeatedText(part) : reader.text(part);
      const identity = reader.identity(part, text);
      if (identity !== text && identities === texts) identities = [...texts];
      texts[i] = text;
      if (identities !== texts) identities[i] = identity;
    }
    this.#texts = texts;
    this.#identities = identities;
  }

  /** Padding is never written, so its name need not be its own. */
  #paddingPath(path: readonly string[]): readonly string[] {
    return [this.#folder, ...path.map((part) => safeName(part, this.#context.names))];
  }

  #link(dictionary: BencodeDictionary, index: number, file: string): void {
    const where = `${file}.symlink path`;
    const value = dictionary.get("symlink path");
    if (value === undefined) throw missing(where);
    if (!Array.isArray(value)) throw wrongType(where, value, "a list");
    const { reader } = this.#context;
    const texts: string[] = [];
    const identities: string[] = [];
    value.forEach((part, i) => {
      if (!(part instanceof Uint8Array)) throw wrongType(`${where}.${i}`, part, "a byte string");
      const text = reader.text(part);
      texts.push(text);
      identities.push(reader.identity(part, text));
    });
    this.#links.push({ index, where, texts, identities });
  }

  /** A link may lead to a file or folder of this torrent and nowhere else; any other stays an empty file. */
  #resolve(link: PendingLink): void {
    const file = this.files[link.index] as TorrentFile;
    const symlink = this.#tree.find(link.texts, link.identities);
    if (symlink === undefined || symlink.join("/") === file.safePath.join("/"))
      this.#context.issues.add(link.where, "leads to nothing in the torrent");
    else this.files[link.index] = { ...file, symlink };
  }
}

export function emptyPath(where: string): MetainfoError {
  return new MetainfoError("METAINFO_EMPTY_PATH", `${where} is empty`, { fault: "remote", details: { where } });
}
