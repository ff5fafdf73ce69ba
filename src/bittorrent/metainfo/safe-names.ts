/**
 * Which names are refused: `portable` gives names that Linux, macOS and Windows all take, the same ones everywhere;
 * `linux` keeps what Linux takes, so that data made by other programs there is found under its own names.
 */
export type NameRules = "portable" | "linux";

/** Longest name of one file or folder, in bytes of UTF-8: ext4, APFS; NTFS allows 255 UTF-16 units, which is no less. */
export const MAX_NAME_LENGTH = 255;
const MAX_EXTENSION_LENGTH = 32; // in bytes; a longer "extension" is cut like any other text

// Separators, controls, and marks that turn the direction of text, with which "gpj.exe" is shown as "exe.jpg".
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE_ANYWHERE = /[/\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const UNSAFE_ON_WINDOWS = /[\\:*?"<>|]/g; // ":" is a drive letter's, and HFS's separator
const TRAILING_DOTS_AND_SPACES = /[. ]+$/; // Windows drops them, so "a." would be "a"
// Device names of Windows, with any extension: "nul", "COM1.txt".
const RESERVED_ON_WINDOWS = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i;
const PLAIN = /^[A-Za-z0-9_\-()[\]+,&' ]+(?:\.[A-Za-z0-9]+)+$/; // needs no more than a look at its length and for devices
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/**
 * A name for one file or folder: one path component that is neither empty nor "." nor "..", holds no separator, and has
 * at most 255 bytes of UTF-8 (cut before the extension). Each bad character becomes "_".
 */
export function safeName(name: string, rules: NameRules = "portable"): string {
  if (name.length <= MAX_NAME_LENGTH && PLAIN.test(name) && !RESERVED_ON_WINDOWS.test(name)) return name;
  let safe = name.toWellFormed().replace(UNSAFE_ANYWHERE, "_");
  if (rules === "portable") {
    safe = safe.replace(UNSAFE_ON_WINDOWS, "_");
    if (RESERVED_ON_WINDOWS.test(safe)) safe = `_${safe}`;
  }
  safe = shorten(safe, "");
  if (rules === "portable") safe = safe.replace(TRAILING_DOTS_AND_SPACES, (run) => "_".repeat(run.length));
  return safe === "" || safe === "." || safe === ".." ? "_".repeat(Math.max(1, safe.length)) : safe;
}

/** What is the same for two names that one file system or another takes for one name: case and Unicode form are gone. */
export function foldName(name: string, rules: NameRules): string {
  if (rules === "linux") return name;
  if (ASCII.test(name)) return name.toLowerCase();
  return name.normalize("NFD").toUpperCase().toLowerCase().normalize("NFC");
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

/** The names given out in one folder. */
export class NameSet {
  readonly #rules: NameRules;
  readonly #taken = new Set<string>();
  #nextNumber: Map<string, number> | undefined; // for each name that clashed: one number is never tried twice

  constructor(rules: NameRules) {
    this.#rules = rules;
  }

  /** Takes the safe form of a name, or when that clashes with one taken, the form with the next free " (2)", " (3)"… */
  take(name: string): string {
    const safe = safeName(name, this.#rules);
    if (this.#tryTake(safe)) return safe;
    const { stem, extension } = splitExtension(safe);
    // All names that are cut to the same text share one count, so that many of them do not try the same numbers again.
    const family = foldName(`${cutUtf8(stem, MAX_NAME_LENGTH - MAX_EXTENSION_LENGTH - 16)}/${extension}`, this.#rules);
    this.#nextNumber ??= new Map();
    for (let number = this.#nextNumber.get(family) ?? 2; ; number++) {
      const candidate = shorten(safe, ` (${number})`);
      if (!this.#tryTake(candidate)) continue;
      this.#nextNumber.set(family, number + 1);
      return candidate;
    }
  }

  #tryTake(safe: string): boolean {
    const before = this.#taken.size;
    this.#taken.add(foldName(safe, this.#rules));
    return this.#taken.size > before;
  }
}
