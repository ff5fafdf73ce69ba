import type { Command as Commander, Option } from "commander";
import { type Command, type CommandEntry, commonGroup, defineCommand } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { type SettingName, SettingOption, settings } from "./settings.ts";
import { configKey, environmentName } from "./settings-sources.ts";

/** The text of docs/cli.md, printed from the table of commands and the table of settings. */
export async function commandLineReference(table: readonly CommandEntry[] = commandTable): Promise<string> {
  const commands = await Promise.all(table.map(async (entry) => ({ entry, command: await entry.load() })));
  return `# The command line

\`freshet <command> [arguments] [options]\`. \`freshet --help\` lists the commands, \`freshet <command> --help\` prints what is below,
\`freshet --version\` the version. This page is printed by \`npm run docs\` from the tables in src/cli; a test compares.

| Command | What it does |
|---|---|
${table.map(({ name, summary }) => `| [\`${name}\`](#${name}) | ${summary} |`).join("\n")}

## Conventions

- Results go to standard output; progress, logs and errors go to standard error. On a terminal progress is a bar for each torrent and
  one line for all of them; elsewhere it is one line every 10 s and one at the end.
- \`--json\`: \`metainfo\`, \`scrape\`, \`check\`, \`create\` and \`bencode\` print one JSON document; \`download\`, \`seed\` and \`demo\` print JSON Lines, one
  object an event, each with \`event\` and \`time\` (ISO 8601), the last with \`event\` \`done\` or \`failed\`. Byte strings are hexadecimal, sizes
  are bytes, rates bytes a second.
- Exit status: 0 done; 1 failed; 2 wrong usage; 130 stopped by Ctrl-C. The first Ctrl-C (or SIGTERM, SIGHUP) says goodbye to trackers
  within 2 s and keeps resume data; the second leaves at once.
- An error is \`freshet: <what went wrong, with the name of the thing> [CODE]\`, and a line \`hint: …\` where there is one. The codes are in
  [errors.md](errors.md).
- A size is \`16384\`, \`500k\`, \`2M\` or \`1.5GiB\`: a bare letter and \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\` count in 1,024, \`kB\`, \`MB\`, \`GB\`, \`TB\` in 1,000.
  A rate is a size a second. A time is \`30s\`, \`10m\`, \`2h\` or \`1h30m\`; a bare number is seconds.
- An address is \`host:port\` or \`[v6]:port\`. A SCION address, \`ISD-AS,[IP]:port\`, is recognised and refused: this version reaches IP addresses only.
- \`-\` stands for standard input where a file is read, and for standard output where one is written.
- \`NO_COLOR\` and \`--no-color\` are kept.

## Settings

What no option says comes from the environment, then from \`freshet.toml\` (\`--config FILE\`, else \`FRESHET_CONFIG\`, else the platform's
folder: \`~/.config/freshet\`, \`~/Library/Application Support/freshet\`, \`%APPDATA%\\freshet\`), there first from the table of the command and
then from the top, and then from the defaults. In the environment several values stand with spaces between them and a flag is \`1\` or \`0\`;
in the file several values are an array and a flag is \`true\` or \`false\`.

\`\`\`toml
down = "2M"
max-peers = 100

[seed]
up = "500k"
\`\`\`

| Option | Environment | freshet.toml |
|---|---|---|
${(Object.keys(settings) as SettingName[]).map(settingRow).join("\n")}

## Every command

${optionTable(commonOptions(commands))}

${commands.map(({ entry, command }) => commandSection(entry, command)).join("\n\n")}
`;
}

function settingRow(name: SettingName): string {
  return `| \`${cell(settings[name].flags)}\` | \`${environmentName(name)}\` | \`${configKey(name)}\` |`;
}

function commonOptions(commands: readonly { readonly entry: CommandEntry; readonly command: Command }[]): readonly Option[] {
  const [first] = commands;
  if (first === undefined) return [];
  return defineCommand(first.entry, first.command).options.filter(isCommon);
}

function isCommon(option: Option): boolean {
  return option.helpGroupHeading === commonGroup;
}

function commandSection(entry: CommandEntry, command: Command): string {
  const definition = defineCommand(entry, command);
  const own = definition.options.filter((option) => !isCommon(option));
  const parts = [
    `## ${entry.name}`,
    `\`${usage(definition)}\``,
    command.description,
    argumentTable(definition),
    own.length === 0 ? "" : optionTable(own),
    command.notes?.trim() ?? "",
    `\`\`\`sh\n${command.example}\n\`\`\``,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function usage(definition: Commander): string {
  return `${definition.name()} ${definition.usage()}`;
}

function argumentTable(definition: Commander): string {
  if (definition.registeredArguments.length === 0) return "";
  const rows = definition.registeredArguments.map((argument) => `| \`${argument.name()}\` | ${cell(argument.description)} |`);
  return ["| Argument | Meaning |", "|---|---|", ...rows].join("\n");
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => {
    const value = option instanceof SettingOption ? undefined : (option.defaultValueDescription ?? option.defaultValue);
    const ending = value === undefined ? "" : ` (default: \`${value}\`)`;
    return `| \`${cell(option.flags)}\` | ${cell(option.description)}${ending} |`;
  });
  return ["| Option | Meaning |", "|---|---|", ...rows].join("\n");
}

/** A text within a cell of a table. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
