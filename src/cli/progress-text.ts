import { printable } from "./io.ts";
import { formatPercent, formatRate, formatSize, formatTime } from "./units.ts";

/** One look at a piece of work: a torrent, or the whole. Sizes are bytes, rates bytes a second; what does not apply is left out. */
export interface ProgressRow {
  readonly name: string;
  /** What it is doing, where that is not plain: `checking`, `seeding`. */
  readonly state?: string;
  readonly done: number;
  readonly total: number;
  readonly downRate?: number;
  readonly upRate?: number;
  /** Number of peers by what carries the connection. */
  readonly peers?: Readonly<Record<string, number>>;
  readonly timeLeftMs?: number | undefined;
}

/** The sum of all rows. */
export function sumRows(rows: readonly ProgressRow[], name: string): ProgressRow {
  const sum = (pick: (row: ProgressRow) => number | undefined): number => rows.reduce((total, row) => total + (pick(row) ?? 0), 0);
  const peers: Record<string, number> = {};
  for (const row of rows) for (const [kind, count] of Object.entries(row.peers ?? {})) peers[kind] = (peers[kind] ?? 0) + count;
  const [done, total, downRate] = [sum((row) => row.done), sum((row) => row.total), sum((row) => row.downRate)];
  return {
    name,
    done,
    total,
    ...(rows.some((row) => row.downRate !== undefined) && { downRate, upRate: sum((row) => row.upRate) }),
    ...(rows.some((row) => row.peers !== undefined) && { peers }),
    timeLeftMs: done >= total ? 0 : downRate > 0 ? ((total - done) / downRate) * 1000 : undefined,
  };
}

/** A row as one line without a bar: `name: 42.0 %, 1.20 GiB of 3.00 GiB, down 2.10 MiB/s, up 0 B/s, 4 tcp, 14m37s left`. */
export function formatLine(row: ProgressRow): string {
  const state = row.state === undefined ? "" : ` ${row.state}`;
  return `${printable(row.name)}:${state} ${[...numbers(row, "down ", "up "), ...timeLeft(row)].join(", ")}`;
}

const NAME_WIDTH = 28;
const LEAST_NAME_WIDTH = 10;
const BAR_WIDTH = 24;
const LEAST_BAR_WIDTH = 4;
/** Columns below which sizes and times are told in fewer words. */
const NARROW = 120;
/** Columns kept for the figures, so that the bar stays where it is while they change. */
const FIGURES_WIDTH = 80;
const NARROW_FIGURES_WIDTH = 60;

/** A row as a bar, in `width` columns: words give way first, then the bar, then the name. */
export function formatBar(row: ProgressRow, width: number, paintBar: (text: string) => string = (text) => text): string {
  const isNarrow = width < NARROW;
  const figures = barFigures(row, isNarrow).join("  ");
  const room = width - (isNarrow ? NARROW_FIGURES_WIDTH : FIGURES_WIDTH) - 4;
  const nameWidth = Math.min(NAME_WIDTH, Math.max(LEAST_NAME_WIDTH, room - BAR_WIDTH));
  const barWidth = Math.min(BAR_WIDTH, room - nameWidth);
  if (barWidth < LEAST_BAR_WIDTH) return `${fitText(printable(row.name), Math.max(LEAST_NAME_WIDTH, room + 2))}  ${figures}`;
  const filled = Math.floor((row.total === 0 ? 1 : row.done / row.total) * barWidth);
  const bar = `${paintBar("█".repeat(filled))}${"░".repeat(barWidth - filled)}`;
  return `${fitText(printable(row.name), nameWidth)}  ${bar}  ${figures}`;
}

function barFigures(row: ProgressRow, isNarrow: boolean): string[] {
  const ending = row.state === undefined ? timeLeft(row) : [row.state];
  const [percent = "", size = "", ...rest] = [...numbers(row, "↓ ", "↑ "), ...ending];
  if (!isNarrow) return [percent.padStart(7), size, ...rest];
  return [percent.padStart(7), formatSize(row.total), ...rest.map((text) => text.replace(" left", ""))];
}

function numbers(row: ProgressRow, down: string, up: string): string[] {
  const parts = [formatPercent(row.done, row.total), `${formatSize(row.done)} of ${formatSize(row.total)}`];
  if (row.downRate !== undefined) parts.push(`${down}${formatRate(row.downRate)}`);
  if (row.upRate !== undefined) parts.push(`${up}${formatRate(row.upRate)}`);
  if (row.peers !== undefined) {
    const kinds = Object.entries(row.peers).map(([kind, count]) => `${count} ${kind}`);
    parts.push(kinds.length === 0 ? "no peers" : kinds.join(" + "));
  }
  return parts;
}

function timeLeft(row: ProgressRow): string[] {
  return row.timeLeftMs === undefined || row.done >= row.total
    ? []
    : [`${formatTime(Math.ceil(row.timeLeftMs / 1000) * 1000)} left`];
}

/** Characters that terminals draw two columns wide: East Asian wide and full-width forms, and pictographs. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const zeroWidth = /\p{Mn}|\p{Me}|\u200d|\ufe0f/u;

function characterWidth(character: string): number {
  return zeroWidth.test(character) ? 0 : wide.test(character) ? 2 : 1;
}

function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text cut or filled up to exactly `width` columns. */
export function fitText(text: string, width: number): string {
  if (textWidth(text) <= width) return text + " ".repeat(width - textWidth(text));
  let cut = "";
  let used = 0;
  for (const character of text) {
    if (used + characterWidth(character) > width - 1) break;
    cut += character;
    used += characterWidth(character);
  }
  return `${cut}…${" ".repeat(width - 1 - used)}`;
}
