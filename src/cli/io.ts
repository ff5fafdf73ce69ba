import { styleText } from "node:util";

/** Where text goes: process.stdout fits, and so does an array in a test. */
export interface Output {
  write(chunk: string | Uint8Array): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Everything that a command may touch of the process it runs in. */
export interface CliIo {
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Results. */
  readonly stdout: Output;
  /** Progress, logs and errors. */
  readonly stderr: Output;
  /** Aborted by the first Ctrl-C: say goodbye, keep state, come to an end within 2 s. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stderr is a terminal, so that progress can be drawn in place. */
  readonly isTerminal: boolean;
  /** Has `cleanup` called if the process ends before the result is disposed, as a second Ctrl-C makes it. Synchronous work only. */
  atExit(cleanup: () => void): Disposable;
}

/**
 * A text from a torrent, tracker or peer made fit for a terminal: control characters and those that turn the direction
 * of writing are replaced, so that no name can move the cursor or pretend to be another.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to go
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, "\ufffd");
}

type Style = Parameters<typeof styleText>[0];

/** Colours a text for `output`, or leaves it as it is when that is no terminal or colours are not wanted. */
export function painter(
  output: Output,
  io: Pick<CliIo, "env">,
  noColor: boolean | undefined,
): (style: Style, text: string) => string {
  const wanted = output.isTTY === true && noColor !== true && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
  return (style, text) => (wanted ? styleText(style, text, { validateStream: false }) : text);
}

/** One JSON document, as result commands print it. */
export function printJson(io: CliIo, document: unknown): void {
  io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
}

/** Writes JSON Lines: one object an event, each with `event` and `time` (ISO 8601). */
export function jsonEvents(io: Pick<CliIo, "stdout">): (event: string, fields?: Readonly<Record<string, unknown>>) => void {
  return (event, fields = {}) => {
    io.stdout.write(`${JSON.stringify({ event, time: new Date().toISOString(), ...fields })}\n`);
  };
}
