import { createLogger, type Logger, type LogLevel } from "#/base/log.ts";
import { type Output, printable } from "./io.ts";
import type { CommonOptions } from "./settings.ts";

/** The least level that is logged: `--log-level`, else warnings, and with each `-v` one level more. */
export function logLevel(options: CommonOptions): LogLevel {
  const more: readonly LogLevel[] = ["warn", "info", "debug", "trace"];
  return options.logLevel ?? more[Math.min(options.verbose ?? 0, 3)] ?? "warn";
}

/** A logger that writes a line for each record: time, level, message and fields. */
export function createCliLogger(options: CommonOptions, output: Pick<Output, "write">): Logger {
  return createLogger(logLevel(options), ({ level, message, fields }) => {
    const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${formatField(value)}`);
    output.write(`${new Date().toISOString()} ${level.padEnd(5)} ${printable(message + pairs.join(""))}\n`);
  });
}

function formatField(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}
