/**
 * Makes what npm users install: plain JavaScript with type declarations, in build/package (or the folder given), ready for
 * `npm pack build/package` and `npm publish build/package`. The checkout itself is left as it is.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, posix, resolve } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Entries of package.json that mean nothing to those who install the package. */
const ofTheCheckout = ["devDependencies", "allowScripts", "scripts", "imports"];

interface Manifest {
  readonly [key: string]: unknown;
  readonly exports: Readonly<Record<string, string>>;
}

/**
 * Writes the package into `folder`, which is emptied first.
 * @throws Error with the compiler's messages when the types do not hold
 */
export function buildPackage(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const doors = Object.values(manifest.exports).filter((path) => path.endsWith(".ts"));
  compile([...doors, "src/cli/main.ts", "src/**/*-worker.ts"], join(folder, "dist"));
  const kept = Object.entries(manifest).filter(([name]) => !ofTheCheckout.includes(name));
  const published = {
    ...Object.fromEntries(kept),
    exports: Object.fromEntries(Object.entries(manifest.exports).map(publishedExport)),
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
  for (const name of manifest["files"] as readonly string[]) {
    if (name !== "dist") cpSync(join(root, name), join(folder, name), { recursive: true });
  }
}

function publishedExport([name, path]: [string, string]): [string, unknown] {
  if (!path.startsWith("./src/")) return [name, path];
  const stem = path.replace(/^\.\/src\//, "./dist/").replace(/\.ts$/, "");
  return [name, { types: `${stem}.d.ts`, default: `${stem}.js` }];
}

/**
 * Compiles `entries` and all that they import to JavaScript and declarations, by way of a copy of src/ in which every import is
 * relative, since only those are rewritten.
 */
function compile(entries: readonly string[], outDir: string): void {
  mkdirSync(join(root, "build"), { recursive: true });
  const copy = mkdtempSync(join(root, "build", "source-"));
  try {
    for (const path of globSync("src/**/*.ts", { cwd: root })) {
      if (path.endsWith(".test.ts")) continue;
      const target = join(copy, path);
      mkdirSync(join(target, ".."), { recursive: true });
      writeFileSync(target, relativeImports(path.replaceAll("\\", "/"), readFileSync(join(root, path), "utf8")));
    }
    const options = { noEmit: false, rootDir: "src", outDir, declaration: true, rewriteRelativeImportExtensions: true };
    const config = { extends: "../../tsconfig.json", compilerOptions: options, include: entries };
    writeFileSync(join(copy, "tsconfig.json"), JSON.stringify(config));
    const tsc = spawnSync(execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", copy], { encoding: "utf8" });
    if (tsc.status !== 0) throw new Error(`tsc failed\n${tsc.stdout}${tsc.stderr}`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function relativeImports(path: string, text: string): string {
  return text
    .replaceAll(/(["'])#\/([^"']+)\1/g, (_, quote: string, name: string) => {
      const relative = posix.relative(posix.dirname(path), `src/${name}`);
      return `${quote}${relative.startsWith(".") ? relative : `./${relative}`}${quote}`;
    })
    .replaceAll(/new URL\("(\.[^"]+)\.ts", import\.meta\.url\)/g, 'new URL("$1.js", import.meta.url)');
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(argv[2] ?? join(root, "build", "package"));
  buildPackage(folder);
  console.log(folder);
}
