import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command as Commander } from "commander";
import { CliError, fileFailure } from "./errors.ts";
import { configFolder } from "./folders.ts";
import type { CliIo } from "./io.ts";
import { type Setting, type SettingName, SettingOption, settings, settingValue } from "./settings.ts";

/** The contents of freshet.toml: settings for all commands, and a table of its own for each command that wants one. */
interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** `FRESHET_MAX_PEERS` for `maxPeers`. */
export function environmentName(name: SettingName): string {
  return `FRESHET_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}

/** `max-peers` for `maxPeers`: how the setting is spelt in freshet.toml, which is its long option without the dashes. */
export function configKey(name: SettingName): string {
  return name.replace(/[A-Z]/g, "-$&").toLowerCase();
}

/**
 * Fills the settings of a parsed command that no option set: from the environment, else from freshet.toml.
 * @throws {CliError} CLI_BAD_CONFIG, CLI_NOT_FOUND or CLI_NO_PERMISSION for the file; the code of a setting's parser for a value
 */
export async function fillSettings(command: Commander, commandName: string, io: Pick<CliIo, "env">): Promise<void> {
  const unset = command.options.filter(
    (option): option is SettingOption =>
      option instanceof SettingOption && command.getOptionValueSource(option.attributeName()) === undefined,
  );
  const file = await readConfig(command.getOptionValue("config") as string | undefined, io.env);
  if (file !== undefined) checkKeys(file);
  for (const { settingName: name } of unset) {
    const variable = environmentName(name);
    const text = io.env[variable];
    if (text !== undefined && text !== "") {
      command.setOptionValueWithSource(name, fromEnvironment(name, variable, text), "env");
      continue;
    }
    const own = file?.values[commandName];
    const value = tableEntry(own, configKey(name)) ?? file?.values[configKey(name)];
    if (value !== undefined && file !== undefined)
      command.setOptionValueWithSource(name, fromConfig(name, file.path, value), "config");
  }
}

function fromEnvironment(name: SettingName, variable: string, text: string): unknown {
  const setting: Setting = settings[name];
  if (!takesValue(setting)) {
    if (/^(1|true|yes|on)$/i.test(text)) return setting.counted ? 1 : true;
    if (/^(0|false|no|off)$/i.test(text)) return setting.counted ? 0 : false;
    throw new CliError("CLI_BAD_VALUE", `${variable}: "${text}" is neither 1 nor 0`);
  }
  const parts = setting.repeat ? text.trim().split(/\s+/) : [text];
  return parts.reduce<unknown>((previous, part) => settingValue(name, variable, part, previous), undefined);
}

function fromConfig(name: SettingName, path: string, value: unknown): unknown {
  const setting: Setting = settings[name];
  const origin = `${path}: ${configKey(name)}`;
  if (!takesValue(setting)) {
    if (typeof value === "boolean") return setting.counted ? Number(value) : value;
    throw new CliError("CLI_BAD_CONFIG", `${origin}: true or false is wanted`);
  }
  const parts = setting.repeat && Array.isArray(value) ? (value as readonly unknown[]) : [value];
  let result: unknown;
  for (const part of parts) {
    if (typeof part !== "string" && typeof part !== "number")
      throw new CliError("CLI_BAD_CONFIG", `${origin}: a text or a number is wanted`);
    result = settingValue(name, origin, String(part), result);
  }
  return result;
}

function takesValue(setting: Setting): boolean {
  return setting.flags.includes("<");
}

async function readConfig(given: string | undefined, env: CliIo["env"]): Promise<ConfigFile | undefined> {
  const named = given ?? (env["FRESHET_CONFIG"] || undefined);
  const path = named ?? join(configFolder(env), "freshet.toml");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (named === undefined) return undefined; // nobody asked for it
    throw fileFailure(path, error);
  }
  const { parse, TomlError } = await import("smol-toml");
  try {
    return { path, values: parse(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new CliError("CLI_BAD_CONFIG", `${path}, line ${error.line}: ${reason}`, { cause: error });
  }
}

/** A word that no setting answers to is an error, or a misspelt limit would be no limit. Tables are for commands, perhaps of other versions. */
function checkKeys(file: ConfigFile): void {
  const known = new Set((Object.keys(settings) as SettingName[]).map(configKey));
  const check = (table: Readonly<Record<string, unknown>>, where: string): void => {
    for (const [key, value] of Object.entries(table)) {
      if (where === "" && isTable(value)) check(value, `[${key}] `);
      else if (!known.has(key)) {
        throw new CliError("CLI_BAD_CONFIG", `${file.path}: there is no setting ${where}${key}`, {
          hint: "settings are spelt as the long options are, without the dashes in front",
        });
      }
    }
  };
  check(file.values, "");
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function tableEntry(table: unknown, key: string): unknown {
  return isTable(table) ? table[key] : undefined;
}
