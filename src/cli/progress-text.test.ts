import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fitText, formatBar, formatLine, type ProgressRow, sumRows } from "./progress-text.ts";

const row: ProgressRow = {
  name: "a.iso",
  done: 1_288_490_188,
  total: 3_221_225_472,
  downRate: 2_202_009,
  upRate: 0,
  peers: { tcp: 4 },
  timeLeftMs: 877_000,
};

describe("progress", () => {
  test("is a line with figures", () => {
    assert.equal(formatLine(row), "a.iso: 39.9 %, 1.20 GiB of 3.00 GiB, down 2.10 MiB/s, up 0 B/s, 4 tcp, 14m37s left");
    assert.equal(
      formatLine({ name: "x", done: 5, total: 5, state: "seeding", peers: {} }),
      "x: seeding 100.0 %, 5 B of 5 B, no peers",
    );
  });

  test("is a bar that fits its line", () => {
    assert.equal(
      formatBar(row, 132),
      "a.iso                     █████████░░░░░░░░░░░░░░░   39.9 %  1.20 GiB of 3.00 GiB  ↓ 2.10 MiB/s  ↑ 0 B/s  4 tcp  14m37s left",
    );
    const largest = { ...row, name: "n".repeat(300), downRate: 1e9, upRate: 1e9, peers: { tcp: 120 } };
    for (const width of [80, 100, 132, 200]) assert.ok([...formatBar(largest, width)].length <= width, String(width));
  });

  test("takes fewer words on a narrow terminal, and no bar where there is no room for one", () => {
    assert.equal(formatBar(row, 80), "a.iso       ██░░░░   39.9 %  3.00 GiB  ↓ 2.10 MiB/s  ↑ 0 B/s  4 tcp  14m37s");
    assert.doesNotMatch(formatBar(row, 76), /[█░]/);
  });

  test("of several torrents is summed up", () => {
    assert.deepEqual(sumRows([row, { ...row, peers: { tcp: 1, utp: 2 } }], "all"), {
      name: "all",
      done: 2_576_980_376,
      total: 6_442_450_944,
      downRate: 4_404_018,
      upRate: 0,
      peers: { tcp: 5, utp: 2 },
      timeLeftMs: ((6_442_450_944 - 2_576_980_376) / 4_404_018) * 1000,
    });
    assert.deepEqual(sumRows([], "none"), { name: "none", done: 0, total: 0, timeLeftMs: 0 });
  });

  test("shows names in the columns they take", () => {
    assert.equal(fitText("abc", 5), "abc  ");
    assert.equal(fitText("abcdef", 5), "abcd…");
    assert.equal(fitText("日本語", 6), "日本語");
    assert.equal(fitText("日本語版", 6), "日本… ");
    assert.equal(fitText("e\u0301a", 3), "e\u0301a ");
  });

  test("cannot be used to move the cursor", () => assert.match(formatLine({ ...row, name: "\u001b[2J\r" }), /^\ufffd\[2J\ufffd: /));
});
