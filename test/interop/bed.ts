/** What every interop test needs: a folder, ports, a tracker, programs that end with the test; and the way to declare such a test. */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Endpoint } from "#/base/ip.ts";
import { FixedTracker } from "./fixed-tracker.ts";
import type { Namespace } from "./namespace.ts";
import { Program, type ProgramOptions, WAIT_MS } from "./program.ts";

/** A program that has to be installed. */
export interface Requirement {
  readonly command: readonly [string, ...string[]];
  /** The Debian package. */
  readonly debianPackage: string;
}

const FIRST_PORT = 20_000; // below the range that the system hands out, so that no outgoing connection takes one
const REPORTED_LINES = 25;
let nextPort = FIRST_PORT;

export class Bed implements AsyncDisposable {
  /** Empty at first; removed at the end. */
  readonly folder: string;
  readonly #owned: AsyncDisposableStack;
  readonly #programs: Program[] = [];

  private constructor(folder: string, owned: AsyncDisposableStack) {
    this.folder = folder;
    this.#owned = owned;
  }

  static async open(parent: string): Promise<Bed> {
    const folder = await mkdtemp(join(parent, "bed-"));
    const owned = new AsyncDisposableStack();
    owned.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    return new Bed(folder, owned);
  }

  /** A port that nothing has used in this namespace. */
  port(): number {
    return nextPort++;
  }

  endpoint(host = "127.0.0.1"): Endpoint {
    return { host, port: this.port() };
  }

  /** A new folder of that name; a number is added when there is one already. */
  async subfolder(name: string): Promise<string> {
    for (let i = 0; ; i++) {
      const path = join(this.folder, i === 0 ? name : `${name}-${i}`);
      try {
        await mkdir(path);
        return path;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }

  start(options: ProgramOptions): Program {
    const program = this.#owned.use(new Program(options));
    this.#programs.push(program);
    return program;
  }

  async tracker(host = "127.0.0.1"): Promise<FixedTracker> {
    return this.#owned.use(await FixedTracker.open(this.endpoint(host)));
  }

  /** Has `resource` closed before the folder is removed. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#owned.use(resource);
  }

  /** The end of what each program wrote. */
  report(): string {
    return this.#programs.map((program) => program.tail(REPORTED_LINES)).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

const checked = new Map<string, string | undefined>();

/** Why a program cannot be used here and how to get it; undefined when it can. */
export function missing(requirement: Requirement): string | undefined {
  const [file, ...args] = requirement.command;
  const key = requirement.command.join(" ");
  if (!checked.has(key)) {
    const result = spawnSync(file, args, { stdio: "ignore", timeout: WAIT_MS });
    const absent = result.error !== undefined && (result.error as NodeJS.ErrnoException).code === "ENOENT";
    const unusable = absent || result.status === 127;
    checked.set(key, unusable ? `${file} is not installed (apt-get install ${requirement.debianPackage})` : undefined);
  }
  return checked.get(key);
}

/**
 * Declares a test that gets a bed of its own.
 * Without the namespace or a program it is skipped with the reason, or fails with it when FRESHET_REQUIRE_PEERS=1.
 */
export function interopTest(
  name: string,
  options: { readonly namespace: Namespace; readonly needs: readonly Requirement[]; readonly timeoutMs?: number },
  body: (bed: Bed, context: TestContext) => Promise<void>,
): void {
  const obstacle = options.namespace.obstacle ?? options.needs.map(missing).find((reason) => reason !== undefined);
  if (obstacle !== undefined && process.env["FRESHET_REQUIRE_PEERS"] !== "1") {
    test(name, { skip: obstacle }, () => {});
    return;
  }
  test(name, { timeout: options.timeoutMs ?? 2 * WAIT_MS }, async (context) => {
    if (obstacle !== undefined) throw new Error(obstacle);
    await using bed = await Bed.open(options.namespace.folder);
    try {
      await body(bed, context);
    } catch (error) {
      context.diagnostic(bed.report());
      throw error;
    }
  });
}
