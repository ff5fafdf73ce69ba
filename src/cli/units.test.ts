import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CliError } from "./errors.ts";
import {
  formatCount,
  formatPercent,
  formatRate,
  formatSize,
  formatTime,
  parseCount,
  parseRate,
  parseRatio,
  parseSize,
  parseTime,
} from "./units.ts";

const refused = (code: string) => (error: unknown) => error instanceof CliError && error.code === code;

describe("sizes", () => {
  const vectors: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["16384", 16_384],
    ["12B", 12],
    ["500k", 512_000],
    ["500K", 512_000],
    ["500kB", 500_000],
    ["500KiB", 512_000],
    ["2M", 2_097_152],
    ["2MB", 2_000_000],
    ["1.5GiB", 1_610_612_736],
    ["1.5 GiB", 1_610_612_736],
    ["3T", 3_298_534_883_328],
  ];
  for (const [text, bytes] of vectors) test(`${text} is ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));
  for (const text of ["", "k", "1.5", "-1", "1x", "1e3", "0x10", "1 2", "99999999T", "2M/s"]) {
    test(`"${text}" is refused`, () => assert.throws(() => parseSize(text), refused("CLI_BAD_SIZE")));
  }
  test("are written with three digits and never as 1024 of a unit", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 10_240, 102_400, 1_023_999, 1_073_741_824, 5.5e15].map(formatSize), [
      "0 B",
      "1023 B",
      "1.00 KiB",
      "1.50 KiB",
      "10.0 KiB",
      "100 KiB",
      "0.98 MiB",
      "1.00 GiB",
      "4.88 PiB",
    ]);
    assert.equal(formatRate(2_202_009), "2.10 MiB/s");
  });
});

describe("rates", () => {
  test("are sizes with or without a second", () =>
    assert.deepEqual(["500k", "2MiB/s", "0"].map(parseRate), [512_000, 2_097_152, 0]));
  test("are refused with a code of their own", () => assert.throws(() => parseRate("fast"), refused("CLI_BAD_RATE")));
});

describe("times", () => {
  const vectors: readonly (readonly [string, number])[] = [
    ["30s", 30_000],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["1h30m", 5_400_000],
    ["250ms", 250],
    ["1d", 86_400_000],
    ["1.5s", 1500],
    ["90", 90_000],
  ];
  for (const [text, milliseconds] of vectors)
    test(`${text} is ${milliseconds} ms`, () => assert.equal(parseTime(text), milliseconds));
  for (const text of ["", "s", "1y", "-1s", "1s2", "soon"]) {
    test(`"${text}" is refused`, () => assert.throws(() => parseTime(text), refused("CLI_BAD_TIME")));
  }
  test("are written with the two largest units", () => {
    assert.deepEqual([0, 340, 59_400, 185_000, 7_620_000, 356_400_000, undefined, Number.POSITIVE_INFINITY].map(formatTime), [
      "0s",
      "340ms",
      "59s",
      "3m05s",
      "2h07m",
      "4d03h",
      "-",
      "-",
    ]);
  });
});

test("counts and ratios are held within their range", () => {
  assert.equal(parseCount("6881", 0, 65_535), 6881);
  for (const text of ["65536", "-1", "1.5", "", "abc"]) assert.throws(() => parseCount(text, 0, 65_535), refused("CLI_BAD_NUMBER"));
  assert.equal(parseRatio("1.5"), 1.5);
  assert.throws(() => parseRatio("-1"), refused("CLI_BAD_NUMBER"));
});

test("a share is not called 100 % before it is whole", () => {
  assert.deepEqual([formatPercent(9999, 10_000), formatPercent(1, 1), formatPercent(0, 0)], ["99.9 %", "100.0 %", "100.0 %"]);
  assert.equal(formatCount(1_234_567), "1,234,567");
});
