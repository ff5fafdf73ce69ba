/** What an error says besides its message. */
export interface ErrorInfo {
  /** `remote`: drop the peer or source that caused it; `local`: our bug, our caller's, or our machine's. */
  readonly fault: "local" | "remote";
  readonly details?: Readonly<Record<string, string | number | bigint>>;
  readonly cause?: unknown;
}

/** The base of every error that Freshet throws on purpose. Callers match `code`, never the text. */
export abstract class CodedError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly fault: "local" | "remote";
  readonly details: Readonly<Record<string, string | number | bigint>>;

  constructor(code: Code, message: string, info: ErrorInfo) {
    super(`${message} [${code}]`, { cause: info.cause });
    this.name = new.target.name;
    this.code = code;
    this.fault = info.fault;
    this.details = info.details ?? {};
  }

  /** The message without the code behind it, for places that print the code themselves. */
  get plainMessage(): string {
    return this.message.slice(0, -(this.code.length + 3));
  }
}
