import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { screenSvg } from "../scripts/screen-svg.ts";
import { TerminalScreen } from "../scripts/terminal-screen.ts";

function screenAfter(output: string, columns = 20, rows = 4): TerminalScreen {
  const screen = new TerminalScreen(columns, rows);
  screen.write(output);
  return screen;
}

describe("the screen of a recorded terminal", () => {
  const cases: { name: string; output: string; text: string }[] = [
    { name: "text and new lines", output: "one\r\ntwo", text: "one\ntwo" },
    { name: "a carriage return draws over the line", output: "50 %\r99", text: "99 %" },
    { name: "erasing to the end of the line", output: "long line\rok\x1b[K", text: "ok" },
    { name: "moving up and drawing again", output: "a\r\nb\r\n\x1b[2Ac\x1b[K\x1b[1B\x1b[1Gd", text: "c\nd" },
    { name: "clearing from the cursor down", output: "a\r\nb\r\nc\x1b[1;1H\x1b[J", text: "" },
    { name: "a line longer than the screen wraps", output: `${"0123456789".repeat(2)}x`, text: "01234567890123456789\nx" },
    { name: "more lines than rows scroll away", output: "1\r\n2\r\n3\r\n4\r\n5", text: "2\n3\n4\n5" },
    { name: "modes and titles draw nothing", output: "\x1b[?25l\x1b]0;title\x07a\x1b[?7hb", text: "ab" },
  ];
  for (const { name, output, text } of cases) {
    test(name, () => assert.equal(screenAfter(output).text, text));
    test(`${name}, character by character`, () => {
      const screen = new TerminalScreen(20, 4);
      for (const character of output) screen.write(character);
      assert.equal(screen.text, text);
    });
  }

  test("colours and weights", () => {
    const [line] = screenAfter("\x1b[1;32ma\x1b[0mb\x1b[38;2;1;2;3mc\x1b[48;5;196md").lines;
    assert.deepEqual(
      line?.map((cell) => cell?.style),
      [{ bold: true, color: "#57ab5a" }, {}, { color: "#010203" }, { color: "#010203", background: "#ff0000" }],
    );
  });

  test("the picture escapes what it shows", () => {
    const svg = screenSvg(screenAfter("<a&b>"), 'echo "<"');
    assert.match(svg, />&lt;a&amp;b&gt;<\/text>/);
    assert.match(svg, /<title>echo &quot;&lt;&quot;<\/title>/);
  });
});
