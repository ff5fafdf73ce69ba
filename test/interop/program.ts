/** One process that a test started: its output as lines, its end, and how to wait for either. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** How long a test waits for anything, in milliseconds. */
export const WAIT_MS = 60_000;
const KEPT_LINES = 5_000;
const POLL_MS = 20;
/** What Freshet and aria2 say every second. */
const ROUTINE = /^\{"event":"progress"|^\[#|^FILE: |^-+$|^=+$|^ \*\*\* |^$/;

export interface ProgramOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Home and working folder. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process in a process group of its own. Output lines are kept, the oldest dropped after 5,000. */
export class Program implements AsyncDisposable {
  readonly name: string;
  /** Lines of standard output and standard error in the order of arrival. */
  readonly lines: string[] = [];
  /** Lines of standard output alone. */
  readonly output: string[] = [];
  /** Resolves with the exit status, or the name of the signal. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #end: number | string | undefined;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    const [file, ...args] = options.command;
    this.#child = spawn(file, args, {
      cwd: options.folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: options.folder, LANG: "C.UTF-8", LC_ALL: "C.UTF-8", ...options.env },
    });
    const { promise, resolve } = Promise.withResolvers<number | string>();
    this.ended = promise;
    const finish = (end: number | string): void => {
      this.#end ??= end;
      resolve(this.#end);
      this.#wake();
    };
    this.#child.once("error", (error) => finish(error.message));
    this.#child.once("close", (code, signal) => finish(code ?? signal ?? "unknown"));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = "";
      stream?.setEncoding("utf8").on("data", (text: string) => {
        const parts = (rest + text).split(/\r\n|\n|\r/);
        rest = parts.pop() ?? "";
        this.lines.push(...parts);
        if (stream === this.#child.stdout) this.output.push(...parts);
        if (this.lines.length > 2 * KEPT_LINES) this.lines.splice(0, this.lines.length - KEPT_LINES);
        if (this.output.length > 2 * KEPT_LINES) this.output.splice(0, this.output.length - KEPT_LINES);
        this.#wake();
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#end === undefined;
  }

  /**
   * Waits until `look` gives something other than undefined or false; it is asked after each output and every 20 ms.
   * Fails when the program ends or the time is over, with the end of its output.
   */
  async until<T>(
    what: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
    timeoutMs = WAIT_MS,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const wasRunning = this.running;
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (!wasRunning) throw new Error(`${this.name} ended (${this.#end}) before: ${what}\n${this.tail()}`);
      if (performance.now() > deadline) throw new Error(`${this.name}: no "${what}" within ${timeoutMs} ms\n${this.tail()}`);
      await this.#nextOutput();
    }
  }

  /** Waits for an output line that `pattern` matches. */
  untilLine(pattern: RegExp, timeoutMs = WAIT_MS): Promise<string> {
    return this.until(String(pattern), () => this.lines.find((line) => pattern.test(line)), timeoutMs);
  }

  /** Waits until something listens on the port, whatever the address. */
  untilListening(port: number, protocol: "tcp" | "udp" = "tcp"): Promise<true> {
    return this.until(`${protocol} port ${port}`, async () => (await isBound(port, protocol)) || undefined);
  }

  /** The last lines of its output, without what programs say every second. */
  tail(count = 40): string {
    return this.lines
      .filter((line) => !ROUTINE.test(line))
      .slice(-count)
      .map((line) => `  ${this.name}| ${line.slice(0, 400)}`)
      .join("\n");
  }

  /** Sends a signal to the process group. */
  signal(name: NodeJS.Signals): void {
    if (!this.running || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** Ends the program: `name` first, SIGKILL when it is still there after the grace. */
  async stop(name: NodeJS.Signals = "SIGKILL", graceMs = 10_000): Promise<number | string> {
    this.signal(name);
    const killer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    const end = await this.ended;
    clearTimeout(killer);
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #nextOutput(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await Promise.race([promise, delay(POLL_MS)]);
    this.#waiting.delete(resolve);
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

const TCP_LISTEN = "0A";

async function isBound(port: number, protocol: "tcp" | "udp"): Promise<boolean> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of [protocol, `${protocol}6`]) {
    for (const line of (await readFile(`/proc/net/${table}`, "utf8")).split("\n").slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      if (local?.endsWith(suffix) && (protocol === "udp" || state === TCP_LISTEN)) return true;
    }
  }
  return false;
}
