import { constants } from "node:os";
import { Command as Commander, CommanderError } from "commander";
import { version } from "#/base/version.ts";
import { type Command, type CommandEntry, defineCommand } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { CliError, type CliErrorCode, describeFailure } from "./errors.ts";
import { type CliIo, jsonEvents, painter, printable } from "./io.ts";
import type { CommonOptions } from "./settings.ts";
import { fillSettings } from "./settings-sources.ts";

/** Exit status after Ctrl-C. */
const INTERRUPTED = 128 + constants.signals.SIGINT;

/**
 * Runs one command line.
 * @param args without the names of Node and the program
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 when io.signal was aborted; failures are told on io.stderr
 */
export async function run(args: readonly string[], io: CliIo, table: readonly CommandEntry[] = commandTable): Promise<number> {
  const [first, second] = args;
  const name = first === "help" ? second : first;
  const entry = table.find((candidate) => candidate.name === name);
  if (entry === undefined) return await runProgram(args, io, table);
  return await runCommand(entry, first === "help" ? ["--help"] : args.slice(1), io);
}

async function runCommand(entry: CommandEntry, args: readonly string[], io: CliIo): Promise<number> {
  let command: Command | undefined;
  let options: CommonOptions = args.includes("--json") ? { json: true } : {};
  try {
    command = await entry.load();
    const definition = prepare(defineCommand(entry, command), io);
    if (asksForHelp(args)) {
      definition.outputHelp();
      return 0;
    }
    definition.parse([...args], { from: "user" });
    await fillSettings(definition, entry.name, io);
    options = definition.opts();
    return await command.run(definition.args, options, io);
  } catch (error) {
    const interrupted = io.signal.aborted;
    const failure = interrupted
      ? { message: "stopped before it was done", code: "CLI_INTERRUPTED", hint: undefined, exitCode: INTERRUPTED }
      : describeFailure(translate(error, `freshet ${entry.name}`));
    if (command?.printsEvents && options.json) {
      const { message, code, hint } = failure;
      jsonEvents(io)("failed", { message, code, ...(hint === undefined ? {} : { hint }) });
    }
    printFailure(failure, options, io);
    if (failure.code === "INTERNAL" && logsDebug(options) && error instanceof Error) io.stderr.write(`${error.stack}\n`);
    return failure.exitCode;
  }
}

/** The program itself: its help, its version, and words that are no command. */
async function runProgram(args: readonly string[], io: CliIo, table: readonly CommandEntry[]): Promise<number> {
  const program = prepare(defineProgram(table), io);
  if (args[0] === "help" || asksForHelp(args)) {
    program.outputHelp();
    return 0;
  }
  try {
    if (args[0] === undefined) {
      throw new CliError("CLI_MISSING_ARGUMENT", "say what to do: freshet <command>", {
        hint: "freshet --help lists the commands; freshet demo shows one at work",
      });
    }
    program.parse([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = describeFailure(translate(error, "freshet"));
    printFailure(failure, {}, io);
    return failure.exitCode;
  }
}

/** The program as commander knows it: used for its help and for suggestions, not to find the command. */
export function defineProgram(table: readonly CommandEntry[]): Commander {
  const program = new Commander("freshet");
  program.description("BitTorrent from the command line: downloads, seeds, makes and looks into torrents.");
  program
    .usage("<command> [arguments] [options]")
    .helpOption("-h, --help", "print this")
    .helpCommand("help [command]", "print the help of a command");
  program.version(version, "--version", "print the version");
  program.commandsGroup("Commands:");
  for (const { name, summary } of table) program.command(name).description(summary);
  program.addHelpText("after", "\nExample:\n  $ freshet demo");
  return program;
}

function prepare(definition: Commander, io: CliIo): Commander {
  return definition.exitOverride().configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: () => {}, // what commander would say is said by printFailure
    getOutHelpWidth: () => Math.min(io.stdout.columns ?? 100, 120),
    getOutHasColors: () => false,
  });
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end).some((arg) => arg === "--help" || arg === "-h");
}

const commanderCodes: Readonly<Record<string, CliErrorCode>> = {
  "commander.unknownOption": "CLI_UNKNOWN_OPTION",
  "commander.unknownCommand": "CLI_UNKNOWN_COMMAND",
  "commander.missingArgument": "CLI_MISSING_ARGUMENT",
  "commander.optionMissingArgument": "CLI_MISSING_ARGUMENT",
  "commander.excessArguments": "CLI_EXCESS_ARGUMENT",
};

/** What commander complains about, in our form: one line, a code, and its suggestion as the hint. */
function translate(error: unknown, program: string): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = /\(Did you mean (.*)\?\)/.exec(rest.join(" "))?.[1];
  const hint = suggestion === undefined ? `${program} --help says what there is` : `did you mean ${suggestion}?`;
  return new CliError(commanderCodes[error.code] ?? "CLI_BAD_VALUE", first.replace(/\.$/, ""), { hint, cause: error });
}

function printFailure(
  failure: { readonly message: string; readonly code: string; readonly hint: string | undefined },
  options: CommonOptions,
  io: CliIo,
): void {
  const paint = painter(io.stderr, io, options.noColor);
  io.stderr.write(`${paint("red", "freshet:")} ${printable(failure.message)} ${paint("dim", `[${failure.code}]`)}\n`);
  if (failure.hint !== undefined) io.stderr.write(`${paint("cyan", "hint:")} ${printable(failure.hint)}\n`);
}

function logsDebug(options: CommonOptions): boolean {
  return options.logLevel === "debug" || options.logLevel === "trace" || (options.verbose ?? 0) >= 2;
}

/** Shows the cursor and wraps lines again, which progress bars turn off. */
const TERMINAL_RESET = "\x1b[?25h\x1b[?7h\n";
/** How long the process may still live after its command came to an end, if something holds it. */
const LINGER_MS = 2000;

/**
 * Runs the command line of this process and sets its exit status.
 * The first SIGINT, SIGTERM or SIGHUP aborts `io.signal`; the second leaves at once.
 */
export async function runProcess(): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) {
      if (process.stderr.isTTY) process.stderr.write(TERMINAL_RESET);
      process.exit(INTERRUPTED);
    }
    controller.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      controller.abort(); // the reader went away, as `head` does: nobody is left to work for
    });
  }
  const exitCode = await run(process.argv.slice(2), {
    get stdin() {
      return process.stdin; // opened by those who read it
    },
    stdout: process.stdout,
    stderr: process.stderr,
    signal: controller.signal,
    env: process.env,
    isTerminal: process.stderr.isTTY === true,
    atExit: (cleanup) => {
      process.once("exit", cleanup);
      return { [Symbol.dispose]: () => void process.off("exit", cleanup) };
    },
  });
  process.exitCode = exitCode;
  setTimeout(() => process.exit(exitCode), LINGER_MS).unref();
}
