/**
 * Which names are refused: `portable` gives names that Linux, macOS and Windows all take, the same ones everywhere;
 * `linux` keeps what Linux takes, so that data made by other programs there is found under its own names.
 */
export type NameRules = "portable" | "linux";

/** Longest name of one file or folder, in bytes of UTF-8: ext4, APFS; NTFS allows 255 UTF-16 units, which is no less. */
const MAX_NAME_LENGTH = 255;
const MAX_EXTENSION_LENGTH = 32; // in bytes; a longer "extension" is cut like any other text
const DOT = 0x2e;
const SPACE = 0x20;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;
const FAMILY_LENGTH = MAX_NAME_LENGTH - MAX_EXTENSION_LENGTH - 16; // 16: room for " (number)"

// Separators, controls, and marks that turn the direction of text, with which "gpj.exe" is shown as "exe.jpg".
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE_ANYWHERE = /[/\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const UNSAFE_ON_WINDOWS = /[\\:*?"<>|]/g; // ":" is a drive letter's, and HFS's separator
const TRAILING_DOTS_AND_SPACES = /[. ]+$/; // Windows drops them, so "a." would be "a"
// Device names of Windows, with any extension: "nul", "COM1.txt".
const RESERVED_ON_WINDOWS = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/**
 * A name for one file or folder: one path component that is neither empty nor "." nor "..", holds no separator, and has
 * at most 255 bytes of UTF-8 (cut before the extension). Each bad character becomes "_".
 */
export function safeName(name: string, rules: NameRules = "portable"): string {
  if (isPlain(name)) return name;
  let safe = name.toWellFormed().replace(UNSAFE_ANYWHERE, "_");
  if (rules === "portable") {
    safe = safe.replace(UNSAFE_ON_WINDOWS, "_");
    if (RESERVED_ON_WINDOWS.test(safe)) safe = `_${safe}`;
  }
  safe = shorten(safe, "");
  if (rules === "portable") safe = safe.replace(TRAILING_DOTS_AND_SPACES, (run) => "_".repeat(run.length));
  return safe === "" || safe === "." || safe === ".." ? "_".repeat(Math.max(1, safe.length)) : safe;
}

const PLAIN = new Uint8Array(128); // by character code
for (const character of " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-()[]+,&'.")
  PLAIN[character.charCodeAt(0)] = 1;
const LONGEST_RESERVED = "conout$ ".length;

/** Whether a quick look shows that every system takes the name as it is: most names of most torrents end here. */
function isPlain(name: string): boolean {
  const length = name.length;
  if (length === 0 || length > MAX_NAME_LENGTH) return false;
  for (let i = 0; i < length; i++) if (PLAIN[name.charCodeAt(i)] !== 1) return false;
  const last = name.charCodeAt(length - 1);
  if (last === DOT || last === SPACE) return false;
  const dot = name.indexOf(".");
  return (dot === -1 ? length : dot) > LONGEST_RESERVED || !RESERVED_ON_WINDOWS.test(name);
}

/** What is the same for two names that one file system or another takes for one name: case and Unicode form are gone. */
export function foldName(name: string, rules: NameRules): string {
  if (rules === "linux") return name;
  if (isLowerAscii(name)) return name;
  if (ASCII.test(name)) return name.toLowerCase();
  return name.normalize("NFD").toUpperCase().toLowerCase().normalize("NFC");
}

function isLowerAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code > 0x7f || (code >= UPPER_A && code <= UPPER_Z)) return false;
  }
  return true;
}

/** Puts `suffix` before the extension, and cuts what is before it so that the whole stays within the limit. */
function shorten(name: string, suffix: string): string {
  if (3 * name.length + suffix.length <= MAX_NAME_LENGTH && suffix === "") return name;
  const room = MAX_NAME_LENGTH - suffix.length;
  if (suffix === "" && Buffer.byteLength(name) <= room) return name;
  const { stem, extension } = splitExtension(name);
  return cutUtf8(stem, room - Buffer.byteLength(extension)) + suffix + extension;
}

function splitExtension(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 ? name.slice(dot) : "";
  if (extension.length < 2 || Buffer.byteLength(extension) > MAX_EXTENSION_LENGTH) return { stem: name, extension: "" };
  return { stem: name.slice(0, dot), extension };
}

/** The longest beginning of a text that has at most `limit` bytes of UTF-8 and ends between two characters. */
function cutUtf8(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= limit) return text;
  let end = limit;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

const FOLDER = "\ud801"; // who took a name, when no file did; no identity of a file

/** The names given out in one folder. */
export class FolderNames {
  readonly #rules: NameRules;
  /** Folded name to the identity of the file that took it. Bound: one for each file and folder of the torrent. */
  readonly #taken = new Map<string, string>();
  /** Identity to name, of the files that could not have the safe form of their own. */
  #renamed: Map<string, string> | undefined;
  /** Of each family of names that clash, the number to try next: none is tried twice. */
  #nextNumber: Map<string, number> | undefined;

  constructor(rules: NameRules) {
    this.#rules = rules;
  }

  /** Takes the safe form of a name, or when that clashes with one taken, the form with the next free " (2)", " (3)"… */
  takeFolder(name: string): string {
    const safe = safeName(name, this.#rules);
    return this.#tryTake(safe, FOLDER) ? safe : this.#takeNumbered(safe, FOLDER);
  }

  /** As `takeFolder`, for a file; undefined when a file of the same identity has a name already. */
  tryTakeFile(name: string, identity: string): string | undefined {
    const safe = safeName(name, this.#rules);
    const folded = foldName(safe, this.#rules);
    const holder = this.#taken.get(folded);
    if (holder === undefined) {
      this.#taken.set(folded, identity);
      return safe;
    }
    if (holder === identity || this.#renamed?.has(identity)) return undefined;
    const numbered = this.#takeNumbered(safe, identity);
    this.#renamed ??= new Map();
    this.#renamed.set(identity, numbered);
    return numbered;
  }

  /** The name that a file took. */
  findFile(name: string, identity: string): string | undefined {
    const safe = safeName(name, this.#rules);
    return this.#renamed?.get(identity) ?? (this.#taken.get(foldName(safe, this.#rules)) === identity ? safe : undefined);
  }

  #takeNumbered(safe: string, identity: string): string {
    const { stem, extension } = splitExtension(safe);
    // All names that are cut to the same text share one count, so that many of them do not try the same numbers again.
    const family = foldName(`${cutUtf8(stem, FAMILY_LENGTH)}/${extension}`, this.#rules);
    this.#nextNumber ??= new Map();
    for (let number = this.#nextNumber.get(family) ?? 2; ; number++) {
      const candidate = shorten(safe, ` (${number})`);
      if (!this.#tryTake(candidate, identity)) continue;
      this.#nextNumber.set(family, number + 1);
      return candidate;
    }
  }

  #tryTake(safe: string, identity: string): boolean {
    const folded = foldName(safe, this.#rules);
    if (this.#taken.has(folded)) return false;
    this.#taken.set(folded, identity);
    return true;
  }
}
