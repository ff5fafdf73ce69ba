/** A stand-in for the process in tests: what a command prints is kept, and nothing of the real process is touched. */
import type { CommandEntry } from "#/cli/command.ts";
import type { CliIo } from "#/cli/io.ts";
import { run } from "#/cli/main.ts";

export interface RecordedRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderr: string;
}

export interface RecorderOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly table?: readonly CommandEntry[];
  /** Called with each text that the command prints, as it prints it. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a command line as a function. The environment is empty but for what is given, so that no settings of the machine count. */
export async function record(args: readonly string[], options: RecorderOptions = {}): Promise<RecordedRun> {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const output = (parts: Uint8Array[]) => ({
    write: (chunk: string | Uint8Array): boolean => {
      parts.push(Buffer.from(chunk as Uint8Array));
      options.onOutput?.(Buffer.from(chunk as Uint8Array).toString());
      return true;
    },
  });
  const io: CliIo = {
    stdin: (async function* () {
      if (options.stdin !== undefined) yield Buffer.from(options.stdin as Uint8Array);
    })(),
    stdout: output(out),
    stderr: output(err),
    signal: options.signal ?? new AbortController().signal,
    env: { HOME: "/nonexistent/home", XDG_CONFIG_HOME: "/nonexistent/config", XDG_STATE_HOME: "/dev/null", ...options.env },
    isTerminal: false,
    atExit: () => ({ [Symbol.dispose]: () => {} }),
  };
  const exitCode = await run(args, io, options.table);
  const stdoutBytes = Buffer.concat(out);
  return { exitCode, stdout: stdoutBytes.toString(), stdoutBytes, stderr: Buffer.concat(err).toString() };
}
