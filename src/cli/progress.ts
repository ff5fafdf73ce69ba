import type { MultiBar, SingleBar } from "cli-progress";
import { type CliIo, type Output, painter } from "./io.ts";
import { formatBar, formatLine, type ProgressRow, sumRows } from "./progress-text.ts";
import type { CommonOptions } from "./settings.ts";

const LINE_INTERVAL_MS = 10_000;
const REDRAWS_PER_SECOND = 5;

export interface ProgressOptions extends CommonOptions {
  /** Called when something is to be drawn. */
  readonly rows: () => readonly ProgressRow[];
  /** Name of the line for the whole; without it there is none. */
  readonly whole?: string;
}

/** Progress on stderr, drawn until closed. Whoever opens it closes it, or the cursor of the terminal stays hidden. */
export interface Progress extends Disposable {
  /** A line that stays, above what is drawn in place. */
  readonly log: Pick<Output, "write">;
  /** Draws for the last time. Idempotent. */
  close(): void;
}

/** Bars on a terminal, else a line every 10 s and one at the end; with `--json` nothing, since events tell it. */
export async function openProgress(options: ProgressOptions, io: CliIo): Promise<Progress> {
  if (options.json) return { log: io.stderr, close: () => {}, [Symbol.dispose]: () => {} };
  if (!io.isTerminal) return new ProgressLines(options, io);
  const { MultiBar: MultiBarClass } = await import("cli-progress");
  return new ProgressBars(options, io, MultiBarClass);
}

class ProgressLines implements Progress {
  readonly log: Pick<Output, "write">;
  readonly #options: ProgressOptions;
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: ProgressOptions, io: CliIo) {
    this.log = io.stderr;
    this.#options = options;
    this.#timer = setInterval(() => this.#print(), LINE_INTERVAL_MS).unref();
  }

  #print(): void {
    const rows = this.#options.rows();
    const { whole } = this.#options;
    const lines = whole !== undefined && rows.length > 1 ? [...rows, sumRows(rows, whole)] : rows;
    for (const row of lines) this.log.write(`${formatLine(row)}\n`);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#print();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class ProgressBars implements Progress {
  readonly log: Pick<Output, "write">;
  readonly #options: ProgressOptions;
  readonly #bars: SingleBar[] = [];
  readonly #multi: MultiBar;
  readonly #output: Output;
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: ProgressOptions, io: CliIo, MultiBarClass: typeof MultiBar) {
    this.#options = options;
    this.#output = io.stderr;
    const paint = painter(io.stderr, io, options.noColor);
    this.#multi = new MultiBarClass({
      stream: io.stderr as NodeJS.WritableStream,
      fps: REDRAWS_PER_SECOND,
      hideCursor: true,
      clearOnComplete: false,
      stopOnComplete: false,
      gracefulExit: false, // Ctrl-C is runProcess's
      format: (_options, params, payload: { readonly row: ProgressRow; readonly hasBar: boolean }) => {
        const { maxWidth = 80 } = params as { readonly maxWidth?: number };
        return payload.hasBar
          ? formatBar(payload.row, maxWidth, (text) => paint("green", text))
          : paint("bold", formatLine(payload.row));
      },
    });
    this.log = {
      write: (text) => {
        if (this.#bars.length === 0) return io.stderr.write(text);
        this.#multi.log(String(text)); // shown above the bars with the next drawing
        return true;
      },
    };
    this.#timer = setInterval(() => this.#refresh(), 1000 / REDRAWS_PER_SECOND);
    this.#refresh();
  }

  /** Brings the bars up to date: those that fit on the screen, and the whole below them. */
  #refresh(): void {
    const { rows: look, whole } = this.#options;
    const all = look();
    const room = Math.max(1, (this.#output.rows || 24) - 2);
    const hidden = all.length - room;
    const shown = all.slice(0, room).map((row) => ({ row, hasBar: true }));
    const ending = hidden > 0 ? ` (${hidden} not shown)` : "";
    if (whole !== undefined) shown.push({ row: sumRows(all, `${whole}${ending}`), hasBar: false });
    shown.forEach((payload, i) => {
      const bar = this.#bars[i];
      if (bar === undefined) this.#bars.push(this.#multi.create(1, 0, payload));
      else bar.update(0, payload);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    if (this.#bars.length === 0) return;
    this.#refresh();
    this.#multi.update();
    this.#multi.stop(); // shows the cursor again
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
