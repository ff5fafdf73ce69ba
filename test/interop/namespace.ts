/**
 * Runs a test file inside network and process namespaces of its own, so that no program under test can reach any address
 * but loopback, ports never clash, and nothing that was started outlives the file.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An address on the loopback interface for programs that refuse 127.0.0.0/8. */
export const PLAIN_LOOPBACK = "10.99.0.1";

const INSIDE = "FRESHET_INTEROP_FOLDER";
const SETUP = `ip link set lo up && ip addr add ${PLAIN_LOOPBACK}/32 dev lo && mount -t tmpfs tmpfs "$${INSIDE}" && exec "$@"`;

/** Where a test file stands after `enterNamespace`. */
export interface Namespace {
  /** Why the tests cannot run here; undefined when they can. */
  readonly obstacle: string | undefined;
  /** A temporary folder in memory that goes with the namespace; empty text when there is an obstacle. */
  readonly folder: string;
}

/**
 * Starts the test file again inside new namespaces and ends this process with its result; returns in that second run.
 * The second run writes to the same standard output, so each of its tests is seen by the test runner.
 */
export async function enterNamespace(file: string): Promise<Namespace> {
  const folder = process.env[INSIDE];
  if (folder !== undefined) {
    process.stdin.on("close", () => process.exit(1)).resume(); // the first run was killed
    process.stdin.once("end", () => process.stdin.destroy());
    (process.stdin as { unref?: () => void }).unref?.();
    return { obstacle: undefined, folder };
  }
  const fresh = await mkdtemp(join(tmpdir(), "freshet-interop-"));
  let status: number;
  try {
    const env = { ...process.env, [INSIDE]: fresh };
    const probe = spawnSync("unshare", [...unshareOptions(), "sh", "-c", SETUP, "sh", "true"], { encoding: "utf8", env });
    if (probe.status !== 0) {
      const why = probe.error?.message ?? probe.stderr.trim().split("\n").at(-1);
      return { obstacle: `needs Linux namespaces by "unshare" and "ip" (apt-get install util-linux iproute2): ${why}`, folder: "" };
    }
    status = await runInside(file, env);
  } finally {
    await rmdir(fresh);
  }
  process.exit(status);
}

async function runInside(file: string, env: NodeJS.ProcessEnv): Promise<number> {
  const command = [process.execPath, ...process.execArgv, file];
  const child = spawn("unshare", [...unshareOptions(), "sh", "-c", SETUP, "sh", ...command], {
    env,
    stdio: ["pipe", "inherit", "inherit"],
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => child.kill("SIGKILL"));
  return await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

function unshareOptions(): string[] {
  const options = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return process.getuid?.() === 0 ? options : [...options, "--map-root-user"];
}
