import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, test } from "node:test";
import { errorsPage } from "../scripts/errors-page.ts";
import { lockFileText, withAllPlatforms } from "../scripts/lock-all-platforms.ts";
import { listFiles, readSourceFacts, root } from "./source-facts.ts";

/** Which other folders of src/ a folder may import, besides base; docs/architecture.md explains. The longest name that fits a file is its folder. */
const mayImport: Readonly<Record<string, readonly string[] | "anything">> = {
  base: [],
  "bittorrent/bencode": [],
  quic: [],
  scion: [],
  "bittorrent/metainfo": ["bittorrent/bencode"],
  "bittorrent/wire": ["bittorrent/bencode"],
  "bittorrent/discovery": ["bittorrent/bencode"],
  "tracker/protocol": ["bittorrent/bencode"],
  "bittorrent/storage": ["bittorrent/metainfo"],
  "bittorrent/swarm": ["bittorrent/metainfo", "bittorrent/wire", "bittorrent/storage"],
  transport: ["quic"],
  "tracker/client": ["tracker/protocol", "quic"],
  "tracker/server": ["tracker/protocol", "quic"],
  "scion-lab": ["scion"],
  client: [
    "bittorrent/bencode",
    "bittorrent/metainfo",
    "bittorrent/wire",
    "bittorrent/discovery",
    "bittorrent/storage",
    "bittorrent/swarm",
    "tracker/protocol",
    "tracker/client",
    "transport",
    "quic",
    "scion",
  ],
  daemon: ["client"],
  cli: "anything",
};

/** Folders whose code takes bytes and `now` and gives bytes, events and deadlines. Biome forbids them the modules that do IO. */
const sansIo = ["bittorrent/bencode", "bittorrent/metainfo", "bittorrent/wire", "bittorrent/swarm", "tracker/protocol"];

const folders = Object.keys(mayImport).sort((a, b) => b.length - a.length);
const sources = listFiles("src/**/*.ts");
const isTest = (path: string): boolean => path.endsWith(".test.ts");

/** The folder of the table that a file under src/ belongs to. */
function folderOf(path: string): string | undefined {
  return folders.find((folder) => path.startsWith(`src/${folder}/`));
}

/** The file under src/ that a module name means, or undefined for a package or a module of Node. */
function resolveImport(from: string, name: string): string | undefined {
  if (name.startsWith("#/")) return `src/${name.slice(2)}`;
  return name.startsWith(".") ? posix.join(posix.dirname(from), name) : undefined;
}

describe("folders of src/", () => {
  test("files are found, and each belongs to a folder of the table", () => {
    assert.ok(sources.length > 20, `${sources.length} files`);
    assert.deepEqual(
      sources.filter((path) => folderOf(path) === undefined),
      [],
    );
  });

  test("imports follow the table and go through the door of the other folder", () => {
    const wrong: string[] = [];
    let checked = 0;
    for (const path of sources) {
      const own = folderOf(path);
      for (const name of readSourceFacts(path).imports) {
        const target = resolveImport(path, name);
        if (target === undefined) continue;
        checked++;
        const other = folderOf(target);
        if (!existsSync(root + target)) wrong.push(`${path}: ${name} does not exist`);
        else if (isTest(path)) continue;
        else if (isTest(target)) wrong.push(`${path}: ${name} is a test`);
        else if (own === undefined || other === undefined) wrong.push(`${path}: ${name} is in no folder of the table`);
        else if (other !== own) wrong.push(...crossing(path, name, { own, other, target }));
        else if (!name.startsWith(".")) wrong.push(`${path}: ${name} is in the same folder; import it by a relative path`);
      }
    }
    assert.ok(checked > 50, `${checked} imports were found`);
    assert.deepEqual(wrong, []);
  });

  test("sans-IO folders take time, chance and timers from their caller", () => {
    const used = sources
      .filter((path) => !isTest(path) && sansIo.includes(folderOf(path) ?? ""))
      .flatMap((path) => readSourceFacts(path).ambient.map((name) => `${path}: ${name}`));
    assert.deepEqual(used, []);
  });
});

function crossing(path: string, name: string, { own, other, target }: { own: string; other: string; target: string }): string[] {
  const allowed = mayImport[own];
  const wrong: string[] = [];
  const near = own.split("/")[0] === other.split("/")[0];
  if (!near && !name.startsWith("#/")) wrong.push(`${path}: ${name} leads far away; write it with #/`);
  if (other === "base") return wrong;
  if (allowed !== "anything" && !allowed?.includes(other)) wrong.push(`${path}: ${own} may not import ${other} (${name})`);
  const door = target === `src/${other}/index.ts` || (own === "web" && target === "src/daemon/contract.ts");
  if (!door) wrong.push(`${path}: ${name} is not the door of ${other}`);
  return wrong;
}

describe("what the reader of imports sees", () => {
  const facts = readSourceFacts(
    "sample.ts",
    `// import { a } from "./comment.ts"
     import { a } from "./static.ts"; import type { B } from "./type.ts"; import "./effect.ts";
     export { c } from "./named.ts"; export * from "./all.ts"; export type { D } from "./exported-type.ts";
     const e = await import("./dynamic.ts"); let f: import("./import-type.ts").F;
     new Worker(new URL("./worker.ts", import.meta.url)); const text = 'from "./string.ts"';
     Date.now(); Math.random(); setTimeout(a, 1); new Date(); new Date(0); object.setTimeout();`,
  );
  test("every form of import, and nothing in comments and strings", () => {
    const names = ["static", "type", "effect", "named", "all", "exported-type", "dynamic", "import-type", "worker"];
    assert.deepEqual([...facts.imports].sort(), names.map((name) => `./${name}.ts`).sort());
  });
  test("clocks, chance and timers", () => {
    assert.deepEqual(facts.ambient, ["Date.now", "Math.random", "setTimeout", "new Date()"]);
  });
});

test("no file is longer than 500 lines", () => {
  const files = listFiles("{src,test,bench,scripts,examples,bin}/**/*.{ts,mjs,js,py}");
  assert.ok(files.length > 30, `${files.length} files`);
  const long = files.map((path) => `${path}: ${readFileSync(root + path, "utf8").split("\n").length - 1}`);
  assert.deepEqual(
    long.filter((line) => Number(line.slice(line.lastIndexOf(" "))) > 500),
    [],
  );
});

test("package-lock.json names the packages of every platform", () => {
  const text = readFileSync(`${root}package-lock.json`, "utf8");
  assert.equal(text, lockFileText(withAllPlatforms(JSON.parse(text))), "run `npm run lock`");
});

describe("pages", () => {
  test("docs/errors.md is what scripts/errors-page.ts prints", async () => {
    assert.equal(readFileSync(`${root}docs/errors.md`, "utf8"), await errorsPage(), "run `npm run docs`");
  });

  test("relative links lead to files", () => {
    const pages = listFiles("*.md", "{docs,bench,examples,src}/**/*.md");
    assert.ok(pages.length > 5, `${pages.length} pages`);
    const broken: string[] = [];
    for (const page of pages) {
      const text = readFileSync(root + page, "utf8").replace(/```[\s\S]*?```/g, "");
      for (const [, target] of text.matchAll(/!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]*\ssrc="([^"]+)"/g)) {
        const path = target?.split("#")[0];
        if (path === undefined || path === "" || /^[a-z]+:/.test(path)) continue;
        if (!existsSync(root + posix.join(posix.dirname(page), path))) broken.push(`${page}: ${target}`);
      }
    }
    assert.deepEqual(broken, []);
  });
});
