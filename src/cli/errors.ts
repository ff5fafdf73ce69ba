import { CodedError, type ErrorInfo } from "#/base/errors.ts";

export const cliErrorCodes = {
  CLI_UNKNOWN_COMMAND: "the first argument is not the name of a command",
  CLI_UNKNOWN_OPTION: "the command has no such option",
  CLI_MISSING_ARGUMENT: "an argument or the value of an option is missing",
  CLI_EXCESS_ARGUMENT: "there are more arguments than the command takes",
  CLI_BAD_VALUE: "an option or argument does not accept the value given",
  CLI_BAD_SIZE: "a text is not a size such as 500k, 2M or 1.5GiB",
  CLI_BAD_RATE: "a text is not a rate such as 500k or 2MiB/s",
  CLI_BAD_TIME: "a text is not a length of time such as 30s, 10m or 2h",
  CLI_BAD_NUMBER: "a text is not a number, or it is out of range",
  CLI_BAD_ADDRESS: "a text is not host:port or [v6]:port",
  CLI_BAD_URL: "a text is not a URL of a kind that can be used there",
  CLI_BAD_INFO_HASH: "a text is not an info hash of 40 hexadecimal digits",
  CLI_BAD_PIECE_LENGTH: "a piece length is not a power of two within the limits",
  CLI_BAD_CONFIG: "the settings file cannot be read as such",
  CLI_SCION_UNSUPPORTED: "a SCION address was given, and this version reaches IP addresses only",
  CLI_MAGNET_UNSUPPORTED: "a magnet link was given where this version needs the torrent itself",
  CLI_NO_MATCH: "nothing in the torrent matches what was selected",
  CLI_NOT_FOUND: "a file or folder does not exist",
  CLI_NO_PERMISSION: "a file or folder may not be read or written by this user",
  CLI_IS_A_FOLDER: "a file was expected and a folder was found",
  CLI_NOT_A_FOLDER: "a folder was expected and a file was found",
  CLI_EXISTS: "the file to be written exists already",
  CLI_DISK_FULL: "there is no room left where the file is to be written",
  CLI_FILE_FAILED: "reading or writing failed for a reason told by the operating system",
  CLI_CHANGED: "a file changed while it was being read",
  CLI_EMPTY: "there is nothing in the file or folder",
  CLI_TOO_LARGE: "an input is larger than anything of its kind",
  CLI_NOT_A_TORRENT: "a file is not a torrent",
  CLI_NOT_JSON: "a text is not JSON of the form that bencode --encode takes",
  CLI_FETCH_FAILED: "a URL did not lead to a torrent",
  CLI_TIMEOUT: "nothing moved for the time given with --timeout",
  CLI_INTERRUPTED: "the command was stopped by Ctrl-C or a signal before it was done",
  CLI_DIFFERS: "data that should be the same differs",
} as const;

export type CliErrorCode = keyof typeof cliErrorCodes;

/** Codes that mean wrong usage: exit status 2. All others: 1. */
const usageCodes: ReadonlySet<string> = new Set<CliErrorCode>([
  "CLI_UNKNOWN_COMMAND",
  "CLI_UNKNOWN_OPTION",
  "CLI_MISSING_ARGUMENT",
  "CLI_EXCESS_ARGUMENT",
  "CLI_BAD_VALUE",
  "CLI_BAD_SIZE",
  "CLI_BAD_RATE",
  "CLI_BAD_TIME",
  "CLI_BAD_NUMBER",
  "CLI_BAD_ADDRESS",
  "CLI_BAD_URL",
  "CLI_BAD_INFO_HASH",
  "CLI_BAD_PIECE_LENGTH",
  "CLI_BAD_CONFIG",
  "CLI_SCION_UNSUPPORTED",
  "CLI_MAGNET_UNSUPPORTED",
  "CLI_NO_MATCH",
]);

export interface CliErrorInfo extends Partial<ErrorInfo> {
  /** What the user can do about it: printed on a line of its own. */
  readonly hint?: string | undefined;
}

export class CliError extends CodedError<CliErrorCode> {
  readonly hint: string | undefined;

  constructor(code: CliErrorCode, message: string, info: CliErrorInfo = {}) {
    super(code, message, { ...info, fault: info.fault ?? "local" });
    this.hint = info.hint;
  }
}

/** An error of another part under its own code, with the name of the file or torrent it happened to put in front. */
export class NamedError extends CodedError<string> {
  readonly hint: string | undefined;

  constructor(name: string, cause: CodedError, hint?: string) {
    super(cause.code, `${name}: ${cause.plainMessage}`, { fault: cause.fault, details: cause.details, cause });
    this.hint = hint;
  }
}

/** How a failure is told: one line, its code, perhaps a hint, and the exit status. */
export interface Failure {
  readonly message: string;
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitCode: number;
}

/** What to print for anything that was thrown. Errors without a code are bugs and are told as such. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CodedError) {
    const hint = error instanceof CliError || error instanceof NamedError ? error.hint : undefined;
    return { message: error.plainMessage, code: error.code, hint, exitCode: usageCodes.has(error.code) ? 2 : 1 };
  }
  const told = error instanceof Error ? error : new Error(String(error));
  const code = "code" in told && typeof told.code === "string" ? told.code : "INTERNAL";
  return {
    message: `${told.name}: ${told.message}`,
    code,
    hint: code === "INTERNAL" ? "this is a fault of Freshet; run again with --log-level debug to see where" : undefined,
    exitCode: 1,
  };
}

const fileFailures: Readonly<Record<string, readonly [CliErrorCode, string]>> = {
  ENOENT: ["CLI_NOT_FOUND", "no such file or folder"],
  EACCES: ["CLI_NO_PERMISSION", "permission denied"],
  EPERM: ["CLI_NO_PERMISSION", "permission denied"],
  EROFS: ["CLI_NO_PERMISSION", "the file system is read-only"],
  EISDIR: ["CLI_IS_A_FOLDER", "is a folder, not a file"],
  ENOTDIR: ["CLI_NOT_A_FOLDER", "a part of the path is a file, not a folder"],
  EEXIST: ["CLI_EXISTS", "exists already"],
  ENOSPC: ["CLI_DISK_FULL", "no space left on the device"],
};

/** An error of the file system as a CliError that names the file; anything else comes back as it is. */
export function fileFailure(name: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CodedError || !("code" in error) || typeof error.code !== "string")
    return error;
  if (error.name === "AbortError") return error;
  const [code, text] = fileFailures[error.code] ?? ["CLI_FILE_FAILED", error.message];
  return new CliError(code, `${name}: ${text}`, { cause: error });
}
