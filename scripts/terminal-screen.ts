/** How a character looks. Colours are `#rrggbb`; undefined is the terminal's own. */
export interface CellStyle {
  readonly color?: string;
  readonly background?: string;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly italic?: boolean;
  readonly underline?: boolean;
}

export interface Cell {
  readonly text: string;
  readonly style: CellStyle;
}

const plain: CellStyle = {};
const basicColors = ["#1c2128", "#e5534b", "#57ab5a", "#c69026", "#539bf5", "#b083f0", "#39c5cf", "#adbac7"];
const brightColors = ["#768390", "#ff938a", "#8ddb8c", "#eac55f", "#96d0ff", "#dcbdfb", "#56d4dd", "#ffffff"];

/** A terminal's screen that keeps what a program drew: text, cursor movement, erasing and colours (ECMA-48), without scrolling back. */
export class TerminalScreen {
  readonly columns: number;
  readonly rows: number;
  #lines: (Cell | undefined)[][] = [[]];
  #row = 0;
  #column = 0;
  #style: CellStyle = plain;
  #rest = "";

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  /** The lines from the top, without empty ones at the end. */
  get lines(): readonly (readonly (Cell | undefined)[])[] {
    const last = this.#lines.findLastIndex((line) => line.some((cell) => cell !== undefined && cell.text !== " "));
    return this.#lines.slice(0, last + 1);
  }

  /** The characters alone, a line each. */
  get text(): string {
    return this.lines
      .map((line) =>
        Array.from(line, (cell) => cell?.text ?? " ")
          .join("")
          .trimEnd(),
      )
      .join("\n");
  }

  write(output: string): void {
    const text = this.#rest + output;
    let at = 0;
    while (at < text.length) {
      if (text[at] === "\x1b") {
        const length = escapeLength(text, at);
        if (length === undefined) break;
        this.#escape(text.slice(at, at + length));
        at += length;
        continue;
      }
      const character = String.fromCodePoint(text.codePointAt(at) as number);
      this.#character(character);
      at += character.length;
    }
    this.#rest = text.slice(at);
  }

  #character(character: string): void {
    if (character === "\n") this.#newLine();
    else if (character === "\r") this.#column = 0;
    else if (character === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (character === "\t") this.#column = Math.min(this.columns - 1, (this.#column | 7) + 1);
    else if (character >= " ") {
      if (this.#column >= this.columns) {
        this.#column = 0;
        this.#newLine();
      }
      this.#line()[this.#column++] = { text: character, style: this.#style };
    }
  }

  #newLine(): void {
    this.#row++;
    if (this.#row < this.rows) return;
    this.#lines.shift();
    this.#row = this.rows - 1;
  }

  #line(): (Cell | undefined)[] {
    while (this.#lines.length <= this.#row) this.#lines.push([]);
    return this.#lines[this.#row] as (Cell | undefined)[];
  }

  #escape(sequence: string): void {
    const match = /^\[([0-9;]*)([A-Za-z])$/.exec(sequence.slice(1));
    if (match === null) return;
    const numbers = (match[1] as string).split(";").map((digits) => (digits === "" ? undefined : Number(digits)));
    const first = numbers[0] ?? 1;
    switch (match[2]) {
      case "A":
        this.#row = Math.max(0, this.#row - first);
        break;
      case "B":
        this.#row = Math.min(this.rows - 1, this.#row + first);
        break;
      case "C":
        this.#column = Math.min(this.columns - 1, this.#column + first);
        break;
      case "D":
        this.#column = Math.max(0, this.#column - first);
        break;
      case "G":
        this.#column = first - 1;
        break;
      case "H":
        this.#row = Math.min(this.rows, first) - 1;
        this.#column = Math.min(this.columns, numbers[1] ?? 1) - 1;
        break;
      case "J":
        this.#eraseDown(numbers[0] ?? 0);
        break;
      case "K":
        this.#eraseLine(numbers[0] ?? 0);
        break;
      case "m":
        this.#style = styled(this.#style, numbers);
        break;
    }
  }

  #eraseLine(how: number): void {
    const line = this.#line();
    if (how === 0) line.length = Math.min(line.length, this.#column);
    else if (how === 1) line.fill(undefined, 0, this.#column + 1);
    else line.length = 0;
  }

  #eraseDown(how: number): void {
    if (how >= 2) this.#lines = [];
    else if (how === 0) {
      this.#eraseLine(0);
      this.#lines.length = Math.min(this.#lines.length, this.#row + 1);
    }
  }
}

/** Characters of the escape sequence at `at`; undefined while its end is not there. */
function escapeLength(text: string, at: number): number | undefined {
  const kind = text[at + 1];
  if (kind === undefined) return undefined;
  if (kind === "[") {
    const control = /^[0-?]*[ -/]*[@-~]/.exec(text.slice(at + 2));
    return control === null ? undefined : 2 + control[0].length;
  }
  if (kind !== "]") return 2;
  const ends = ["\x07", "\x1b\\"].map((end) => ({ end, found: text.indexOf(end, at + 2) })).filter(({ found }) => found !== -1);
  const first = ends.sort((a, b) => a.found - b.found)[0];
  return first === undefined ? undefined : first.found + first.end.length - at;
}

function styled(before: CellStyle, numbers: readonly (number | undefined)[]): CellStyle {
  let style = before;
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i] ?? 0;
    if (code === 38 || code === 48) {
      const [color, used] = extendedColor(numbers.slice(i + 1));
      style = code === 38 ? { ...style, color } : { ...style, background: color };
      i += used;
    } else style = styledBy(style, code);
  }
  return style;
}

function styledBy(style: CellStyle, code: number): CellStyle {
  const { color: _color, ...withoutColor } = style;
  const { background: _background, ...withoutBackground } = style;
  if (code === 0) return plain;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 39) return withoutColor;
  if (code === 49) return withoutBackground;
  const palette = code >= 90 ? brightColors : basicColors;
  const color = palette[code % 10];
  if (color === undefined) return style;
  const tens = Math.floor(code / 10);
  if (tens === 3 || tens === 9) return { ...style, color };
  return tens === 4 || tens === 10 ? { ...style, background: color } : style;
}

/** The colour of `38;5;n` or `38;2;r;g;b`, and how many numbers it took. */
function extendedColor(numbers: readonly (number | undefined)[]): [color: string, used: number] {
  const hex = (...parts: number[]): string => `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  if (numbers[0] === 2) return [hex(numbers[1] ?? 0, numbers[2] ?? 0, numbers[3] ?? 0), 4];
  const index = numbers[1] ?? 0;
  if (index < 16) return [(index < 8 ? basicColors[index] : brightColors[index - 8]) as string, 2];
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return [hex(grey, grey, grey), 2];
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return [hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)), 2];
}
