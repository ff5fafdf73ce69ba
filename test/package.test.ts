import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { buildPackage } from "../scripts/build-package.ts";
import { openSampleSeeder } from "./sample-seeder.ts";
import { root } from "./source-facts.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
const networkCodes = ["ENOTCACHED", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT"];

/** Runs npm. @returns its output, or undefined when the registry is out of reach */
async function tryNpm(args: readonly string[], cwd: string): Promise<string | undefined> {
  try {
    const { stdout } = await run("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0"], {
      cwd,
      timeout: TIMEOUT_MS,
    });
    return stdout;
  } catch (error) {
    const { stderr } = error as { readonly stderr?: string };
    if (networkCodes.some((code) => stderr?.includes(code)) && process.env["CI"] === undefined) return undefined;
    throw error;
  }
}

/** The Node binary of a major version: this one if it is, else from npm, kept in .cache. */
async function tryNode(major: number): Promise<string | undefined> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node${platform === "darwin" && process.arch === "arm64" ? "-bin" : ""}-${platform}-${process.arch}`;
  const folder = join(root, ".cache", `node-${major}`);
  const binary = join(folder, "node_modules", name, "bin", platform === "win" ? "node.exe" : "node");
  if (!existsSync(binary)) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), '{ "private": true }\n');
    await tryNpm(["install", "--prefer-offline", "--no-save", `${name}@${major}`], folder);
  }
  return existsSync(binary) ? binary : undefined;
}

describe("what npm users install", { timeout: 3 * TIMEOUT_MS }, () => {
  let folder: string;
  let user: string;
  let isInstalled = false;
  const program = (): string => join(user, "node_modules", "freshet-torrent", "bin", "freshet.js");
  const skippedOffline = (t: TestContext): boolean => {
    if (!isInstalled) t.skip("the npm registry is out of reach");
    return !isInstalled;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "freshet-package-"));
    user = join(folder, "user");
    const built = join(folder, "package");
    buildPackage(built);
    const packed = await tryNpm(["pack", built, "--json", "--pack-destination", folder], folder);
    assert.ok(packed !== undefined);
    const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
    assert.ok(tarball !== undefined, packed);
    await mkdir(user);
    await writeFile(join(user, "package.json"), '{ "private": true, "type": "module" }\n');
    isInstalled = (await tryNpm(["install", "--prefer-offline", join(folder, tarball)], user)) !== undefined;
    for (const example of ["download.ts", "every-part.ts"]) await cp(join(root, "examples", example), join(user, example));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("has no TypeScript source, no test and nothing of the checkout's tools", async (t) => {
    if (skippedOffline(t)) return;
    const installed = join(user, "node_modules", "freshet-torrent");
    const files = await readdir(installed, { recursive: true });
    assert.ok(files.includes(join("dist", "client", "index.js")) && files.includes("LICENSE"), files.join(" "));
    assert.deepEqual(
      files.filter((file) => /(?<!\.d)\.ts$|\.test\./.test(file) || file.startsWith("node_modules")),
      [],
    );
    const manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as Record<string, unknown>;
    assert.equal(manifest["devDependencies"], undefined);
    assert.equal(manifest["scripts"], undefined);
  });

  test("has types that a strict program compiles with", async (t) => {
    if (skippedOffline(t)) return;
    const compilerOptions = {
      module: "nodenext",
      target: "esnext",
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
    };
    await writeFile(join(user, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["every-part.ts", "download.ts"] }));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    await run(process.execPath, [tsc, "-p", user], { timeout: TIMEOUT_MS }).catch(({ stdout }) => assert.fail(stdout));
  });

  for (const major of [24, 26]) {
    test(`works on Node ${major}`, async (t) => {
      if (skippedOffline(t)) return;
      const node = await tryNode(major);
      if (node === undefined) return t.skip(`Node ${major} is not here and the npm registry is out of reach`);
      const options = { cwd: user, timeout: TIMEOUT_MS };

      await t.test("freshet --version", async () => {
        const { stdout } = await run(node, [program(), "--version"], options);
        const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { readonly version: string };
        assert.equal(stdout, `${version}\n`);
      });

      await t.test("a program that imports each subpath export", async () => {
        const { stdout } = await run(node, ["every-part.ts"], options);
        assert.equal((JSON.parse(stdout) as { readonly name: unknown }).name, "hello.txt");
      });

      await t.test("freshet download", async () => {
        await using seeder = await openSampleSeeder();
        const output = join(seeder.folder, "out");
        const places = ["--output", output, "--state", join(seeder.folder, "state")];
        const network = ["--peer", seeder.address, "--listen", "127.0.0.1", "--no-tracker"];
        await run(node, [program(), "download", seeder.torrentFile, ...places, ...network], options);
        assert.deepEqual(await readFile(join(output, seeder.name)), seeder.data);
      });
    });
  }
});
