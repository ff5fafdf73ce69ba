/**
 * Measures Freshet beside other BitTorrent programs in one run and prints each median as a ratio of libtorrent to libtorrent: `npm run bench`.
 * Options go to ./transfer; README.md says what is measured.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One line that ./transfer prints for one transfer. */
interface Run {
  readonly seeder: string;
  readonly leecher: string;
  readonly ok: boolean;
  readonly noisy?: boolean;
  readonly wall_s: number;
  readonly first_s: number;
  readonly leech_cpu_s: number;
  readonly seed_cpu_s: number;
  readonly leech_rss_mb: number;
  readonly seed_rss_mb: number;
}
type Measure = "wall_s" | "first_s" | "leech_cpu_s" | "seed_cpu_s" | "leech_rss_mb" | "seed_rss_mb";

const here = fileURLToPath(new URL(".", import.meta.url));
const reference = ["libtorrent", "libtorrent"] as const;
const pairs: readonly (readonly [seeder: string, leecher: string])[] = [
  reference,
  ["libtorrent", "aria2"],
  ["libtorrent", "webtorrent"],
  ["webtorrent", "webtorrent"],
  ["libtorrent", "freshet"],
  ["freshet", "libtorrent"],
  ["freshet", "freshet"],
];

if (!existsSync(`${here}node_modules/webtorrent`)) {
  spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
}
const environment = { ...process.env, BENCH_HOME: here, BENCH_NODE: process.env["BENCH_NODE"] ?? process.execPath };
const present = new Set([...new Set(pairs.flat())].filter(isPresent));
const chosen = pairs.filter((pair) => pair.every((name) => present.has(name)));
const results = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "freshet-bench-"));
try {
  const out = join(results, "runs.jsonl");
  const list = chosen.map((pair) => pair.join(":")).join(",");
  // Options given by the caller come last and win.
  const options = ["--pairs", list, "--reps", "5", "--dir", results, "--out", out, ...process.argv.slice(2)];
  const measured = spawnSync(`${here}transfer`, options, { stdio: "inherit", env: environment });
  process.exitCode = measured.status ?? 1;
  if (existsSync(out)) {
    const runs = readFileSync(out, "utf8").trim().split("\n");
    printRatios(runs.map((line) => JSON.parse(line) as Run));
  }
} finally {
  rmSync(results, { recursive: true });
}

function isPresent(name: string): boolean {
  const info = spawnSync(`${here}clients/${name}`, ["info"], { env: environment, encoding: "utf8" });
  if (info.status === 0) return true;
  const said = (info.error?.message ?? info.stderr).trim().split("\n");
  console.error(`left out: ${name} (${said.find((line) => line.includes("Error")) ?? said.at(-1)})`);
  return false;
}

function printRatios(runs: readonly Run[]): void {
  const base = summary(runs, reference);
  console.log(`\nRatios to ${reference.join(" → ")} (medians)\n`);
  console.log(
    "| seeder → leecher | runs | wall s | ratio | first byte s | leech CPU s | ratio | seed CPU s | ratio | leech RSS MB | seed RSS MB |",
  );
  console.log("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
  const names = [...new Set(runs.map((run) => `${run.seeder}:${run.leecher}`))].map((name) => name.split(":") as [string, string]);
  for (const pair of names) {
    const own = summary(runs, pair);
    const value = (measure: Measure): string => own.of(measure).toFixed(measure.endsWith("mb") ? 0 : 2);
    const ratio = (measure: Measure): string => (own.of(measure) / base.of(measure)).toFixed(2);
    const cells = [
      pair.join(" → "),
      own.count,
      value("wall_s"),
      ratio("wall_s"),
      value("first_s"),
      value("leech_cpu_s"),
      ratio("leech_cpu_s"),
      value("seed_cpu_s"),
      ratio("seed_cpu_s"),
      value("leech_rss_mb"),
      value("seed_rss_mb"),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

/** Medians of the runs of one pair that were right and not disturbed, or else of those that were right. */
function summary(
  runs: readonly Run[],
  [seeder, leecher]: readonly [string, string],
): { count: string; of(measure: Measure): number } {
  const all = runs.filter((run) => run.seeder === seeder && run.leecher === leecher);
  const right = all.filter((run) => run.ok);
  const quiet = right.filter((run) => run.noisy !== true);
  const used = quiet.length > 0 ? quiet : right;
  return { count: `${used.length}/${all.length}`, of: (measure) => median(used.map((run) => run[measure])) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}
