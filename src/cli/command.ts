import { Command as Commander, type OptionValues } from "commander";
import type { CliIo } from "./io.ts";
import { addSettings, type CommonOptions, commonSettings } from "./settings.ts";

/** One command of the program; its name and summary stand in the table of commands. */
export interface Command<Options = OptionValues> {
  /** What help says above the options. */
  readonly description: string;
  /** Works as pasted. */
  readonly example: string;
  /** What help says below the options, where there is more to know. */
  readonly notes?: string;
  /** Whether `--json` gives JSON Lines of events rather than one document. */
  readonly printsEvents: boolean;
  /** Declares arguments and options. */
  define(command: Commander): void;
  /**
   * @param args as they were given, without options
   * @returns exit status 0 or 1; what keeps the command from doing its work is thrown
   */
  run(args: readonly string[], options: Options & CommonOptions, io: CliIo): Promise<number>;
}

/** A row in the table of commands. The module is loaded when the command is run. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

export const commonGroup = "Options of every command:";

/** The definition of a command as commander knows it, printing nothing and leaving nothing by itself. */
export function defineCommand(entry: CommandEntry, command: Command): Commander {
  const definition = new Commander(`freshet ${entry.name}`);
  definition.description(command.description).helpOption(false).allowExcessArguments(false);
  command.define(definition);
  addSettings(definition, commonSettings, commonGroup);
  definition.addOption(
    definition.createOption("--config <file>", "settings file instead of the platform's freshet.toml").helpGroup(commonGroup),
  );
  definition.addOption(definition.createOption("-h, --help", "print this").helpGroup(commonGroup));
  const notes = command.notes === undefined ? "" : `\n${command.notes.trim()}\n`;
  definition.addHelpText("after", `${notes}\nExample:\n  $ ${command.example}`);
  return definition;
}
