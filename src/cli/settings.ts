/**
 * The options that may also stand in the environment (FRESHET_…) and in freshet.toml, each described once.
 * A command takes those it understands with `addSettings`; where the others come from is in settings-sources.ts.
 */
import { type Command as Commander, Option } from "commander";
import { logLevels } from "#/base/log.ts";
import { parseListenAddress, parsePeerAddress, parseTrackerUrl } from "./addresses.ts";
import { CliError } from "./errors.ts";
import { parseCount, parseRate, parseRatio, parseTime } from "./units.ts";

export interface Setting {
  readonly flags: string;
  readonly description: string;
  /** Reads the text of a value; without it the text is the value. Flags, which take no value, have none. */
  readonly parse?: (text: string) => unknown;
  /** May be given several times; the value is a list. */
  readonly repeat?: true;
  /** Counts how often it is given. */
  readonly counted?: true;
}

export const settings = {
  output: { flags: "-o, --output <dir>", description: "folder that downloads go to (default: the folder you are in)" },
  peer: {
    flags: "--peer <address>",
    description: "a peer to try, besides those found (repeat)",
    parse: parsePeerAddress,
    repeat: true,
  },
  listen: {
    flags: "--listen <address>",
    description: "IP address to listen at, with or without a port (repeat; default: every address)",
    parse: parseListenAddress,
    repeat: true,
  },
  port: {
    flags: "--port <n>",
    description: "port to listen at, or a range such as 7000-7010 (default: 6881, the next free one up to 6889, then any)",
    parse: parsePorts,
  },
  tracker: {
    flags: "--tracker <url>",
    description: "a tracker to ask, besides those of the torrent (repeat)",
    parse: parseTrackerUrl,
    repeat: true,
  },
  noTracker: { flags: "--no-tracker", description: "ask none of the torrent's own trackers" },
  down: {
    flags: "--down <rate>",
    description: "most to download in a second, for example 2M (default: no limit)",
    parse: parseRate,
  },
  up: { flags: "--up <rate>", description: "most to upload in a second, for example 500k (default: no limit)", parse: parseRate },
  maxPeers: {
    flags: "--max-peers <n>",
    description: "most peers to be connected to",
    parse: (text: string) => parseCount(text, 1, 100_000),
  },
  files: {
    flags: "--files <list|glob>",
    description: 'which files: numbers from metainfo such as 1,3-5, or a pattern such as "*.iso" (default: all)',
  },
  sequential: { flags: "--sequential", description: "first pieces first" },
  seedRatio: {
    flags: "--seed-ratio <r>",
    description: "when complete, seed until uploaded / size reaches r",
    parse: parseRatio,
  },
  seedTime: { flags: "--seed-time <t>", description: "when complete, seed for so long, for example 30m", parse: parseTime },
  keepSeeding: { flags: "--keep-seeding", description: "when complete, seed until stopped" },
  state: { flags: "--state <dir>", description: "folder of resume data (default: the platform's state folder)" },
  check: { flags: "--check", description: "verify all data that is there before going on" },
  timeout: {
    flags: "--timeout <t>",
    description: "give up when nothing at all moved for so long, for example 5m (default: never)",
    parse: parseTime,
  },
  json: { flags: "--json", description: "print JSON instead of text" },
  noColor: { flags: "--no-color", description: "print without colours, as the variable NO_COLOR does" },
  verbose: { flags: "-v, --verbose", description: "log more to stderr (repeat for still more)", counted: true },
  logLevel: { flags: "--log-level <level>", description: `least level to log: ${logLevels.join(", ")}`, parse: parseLogLevel },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof settings;

type ValueOf<S> = S extends { parse: (text: string) => infer T }
  ? S extends { repeat: true }
    ? readonly T[]
    : T
  : S extends { counted: true }
    ? number
    : S extends { flags: `${string}<${string}` }
      ? string
      : boolean;

/** The values that a command finds in its options for the settings that it takes; what nobody set is absent. */
export type SettingValues<Names extends SettingName> = { readonly [Name in Names]?: ValueOf<(typeof settings)[Name]> };

/** Settings of every command. */
export const commonSettings = ["json", "noColor", "verbose", "logLevel"] as const satisfies readonly SettingName[];
export type CommonOptions = SettingValues<(typeof commonSettings)[number]> & { readonly config?: string };

/** An option of commander that knows which setting it is. */
export class SettingOption extends Option {
  readonly settingName: SettingName;

  constructor(name: SettingName) {
    const setting: Setting = settings[name];
    super(setting.flags, setting.description);
    this.settingName = name;
    this.negate = false; // `--no-tracker` is a flag of its own, not the opposite of `--tracker`
    if (setting.counted) this.argParser((_text: string, previous: number | undefined) => (previous ?? 0) + 1);
    else if (this.required)
      this.argParser((text: string, previous: unknown) => settingValue(name, this.long as string, text, previous));
  }

  override attributeName(): string {
    return this.settingName;
  }
}

/**
 * Reads one value of a setting.
 * @param origin where it stands (`--down`, `FRESHET_DOWN`), for the message
 * @param previous what a setting that repeats holds already
 * @throws {CliError} the code of the setting's parser, with `origin` in front of the message
 */
export function settingValue(name: SettingName, origin: string, text: string, previous?: unknown): unknown {
  const setting: Setting = settings[name];
  const value = setting.parse === undefined ? text : named(origin, () => setting.parse?.(text));
  return setting.repeat ? [...((previous as readonly unknown[] | undefined) ?? []), value] : value;
}

/** Runs a parser so that its error begins with the name of the option or variable that it read. */
export function named<T>(origin: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CliError)
      throw new CliError(error.code, `${origin}: ${error.plainMessage}`, { hint: error.hint, cause: error });
    throw error;
  }
}

/** Wraps a parser as commander wants it, for options that are no settings. */
export function optionParser<T>(flag: string, parse: (text: string) => T): (text: string) => T {
  return (text) => named(flag, () => parse(text));
}

/** The same for an option that may be given several times. */
export function repeatedOptionParser<T>(
  flag: string,
  parse: (text: string) => T,
): (text: string, previous: T[] | undefined) => T[] {
  return (text, previous = []) => [...previous, named(flag, () => parse(text))];
}

export function addSettings(command: Commander, names: readonly SettingName[], group?: string): void {
  for (const name of names) {
    const option = new SettingOption(name);
    command.addOption(group === undefined ? option : option.helpGroup(group));
  }
}

function parsePorts(text: string): number | readonly [number, number] {
  const [first = "", last, ...rest] = text.split("-");
  const port = parseCount(first, 0, 65_535);
  if (last === undefined) return port;
  const end = parseCount(last, port, 65_535);
  if (rest.length > 0 || port === 0) throw new CliError("CLI_BAD_NUMBER", `"${text}" is not a port or a range of ports`);
  return [port, end];
}

function parseLogLevel(text: string): (typeof logLevels)[number] {
  const level = logLevels.find((known) => known === text);
  if (level === undefined) throw new CliError("CLI_BAD_VALUE", `"${text}" is not one of ${logLevels.join(", ")}`);
  return level;
}
