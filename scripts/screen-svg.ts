import type { Cell, CellStyle, TerminalScreen } from "./terminal-screen.ts";

const CELL_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const FONT_SIZE = 14;
const MARGIN = 16;
const TITLE_HEIGHT = 36;

/** A picture of a terminal window: the command, then what is on its screen. */
export function screenSvg(screen: TerminalScreen, command: string): string {
  const lines = screen.lines;
  const width = Math.ceil(screen.columns * CELL_WIDTH + 2 * MARGIN);
  const height = TITLE_HEIGHT + (lines.length + 1) * LINE_HEIGHT + 2 * MARGIN;
  const prompt = [...`$ ${command}`].map((text, i): Cell => ({ text, style: i < 2 ? { color: "#768390" } : { bold: true } }));
  const rows = [prompt, ...lines]
    .map((line, row) => rowSvg(line, TITLE_HEIGHT + MARGIN + row * LINE_HEIGHT))
    .filter((row) => row !== "");
  const lights = ["#e5534b", "#c69026", "#57ab5a"].map((color, i) => `<circle cx="${20 + i * 20}" cy="18" r="6" fill="${color}"/>`);
  const font = "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escapeXml(command)}</title>
<rect width="${width}" height="${height}" rx="10" fill="#22272e"/>
${lights.join("")}
<g font-family="${font}" font-size="${FONT_SIZE}" fill="#cdd9e5">
${rows.join("\n")}
</g>
</svg>
`;
}

function rowSvg(line: readonly (Cell | undefined)[], top: number): string {
  const baseline = top + FONT_SIZE;
  const runs = styleRuns(line);
  const boxes = runs.map(({ at, text, style }) => {
    if (style.background === undefined) return "";
    return `<rect x="${x(at)}" y="${top}" width="${([...text].length * CELL_WIDTH).toFixed(1)}" height="${LINE_HEIGHT}" fill="${style.background}"/>`;
  });
  const texts = runs.map(({ at, text, style }) => {
    const shown = text.trim();
    if (shown === "") return "";
    const start = at + text.length - text.trimStart().length;
    // The fixed length keeps columns in place whatever font is found.
    const length = ([...shown].length * CELL_WIDTH).toFixed(1);
    return `<text x="${x(start)}" y="${baseline}" textLength="${length}"${attributes(style)}>${escapeXml(shown)}</text>`;
  });
  return [...boxes, ...texts].join("");
}

function x(column: number): string {
  return (MARGIN + column * CELL_WIDTH).toFixed(1);
}

/** Neighbours that look alike, joined. */
function styleRuns(line: readonly (Cell | undefined)[]): { at: number; text: string; style: CellStyle }[] {
  const runs: { at: number; text: string; style: CellStyle }[] = [];
  Array.from(line, (cell) => cell ?? { text: " ", style: {} }).forEach(({ text, style }, at) => {
    const last = runs.at(-1);
    if (last !== undefined && JSON.stringify(last.style) === JSON.stringify(style)) last.text += text;
    else runs.push({ at, text, style });
  });
  return runs;
}

function attributes(style: CellStyle): string {
  const out: string[] = [];
  if (style.color !== undefined) out.push(` fill="${style.color}"`);
  if (style.bold === true) out.push(' font-weight="bold"');
  if (style.dim === true) out.push(' opacity="0.65"');
  if (style.italic === true) out.push(' font-style="italic"');
  if (style.underline === true) out.push(' text-decoration="underline"');
  return out.join("");
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
