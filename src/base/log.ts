export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, unknown>>;

/** What the library asks of a logger. Pino, console wrappers and test recorders fit it. */
export interface Logger {
  /** Whether a record of this level would be kept; ask before building costly fields. */
  isEnabled(level: LogLevel): boolean;
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

const nothing = (): void => {};
export const silentLogger: Logger = {
  isEnabled: () => false,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
};

/** A logger that hands each record at or above `level` to `write`, with the fields of its ancestors merged in. */
export function createLogger(
  level: LogLevel,
  write: (record: { level: LogLevel; message: string; fields: LogFields }) => void,
  inherited: LogFields = {},
): Logger {
  const threshold = logLevels.indexOf(level);
  const isEnabled = (asked: LogLevel): boolean => logLevels.indexOf(asked) >= threshold && asked !== "silent";
  const at = (own: LogLevel) =>
    isEnabled(own)
      ? (message: string, fields: LogFields = {}): void => write({ level: own, message, fields: { ...inherited, ...fields } })
      : nothing;
  return {
    isEnabled,
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLogger(level, write, { ...inherited, ...fields }),
  };
}
