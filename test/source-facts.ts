import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync, visitorKeys } from "oxc-parser";

/** The repository's root folder, with a slash at its end. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** What the rules of the house ask of one module. */
export interface SourceFacts {
  /** Every module it names: static, type-only, re-exported, dynamic, `import("…")` types, and files given to `new URL(…, import.meta.url)`. */
  readonly imports: readonly string[];
  /** Uses of a clock, of chance or of a timer that is not handed in, such as `Date.now`. */
  readonly ambient: readonly string[];
  /** Lines, the last one counted if it is not empty. */
  readonly lines: number;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

const ambientMembers = ["Date.now", "Math.random", "performance.now", "process.hrtime"];
const ambientCalls = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"];

export function readSourceFacts(path: string, text: string = readFileSync(root + path, "utf8")): SourceFacts {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`);
  const imports: string[] = [];
  const ambient: string[] = [];
  walk(program as unknown as Node, (node) => {
    const named = namedModule(node);
    if (named !== undefined) imports.push(named);
    const used = ambientUse(node);
    if (used !== undefined) ambient.push(used);
  });
  return { imports, ambient, lines: text.replace(/\n$/, "").split("\n").length };
}

/** Files of the repository that match, sorted, as paths from its root with `/`. */
export function listFiles(...patterns: string[]): string[] {
  const outside = (entry: { name: string }): boolean => ["node_modules", "build", ".git", ".cache"].includes(entry.name);
  return globSync(patterns, { cwd: root, withFileTypes: true, exclude: outside })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll("\\", "/").slice(root.length))
    .sort();
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const key of visitorKeys[node.type] ?? []) {
    const child = node[key];
    for (const item of Array.isArray(child) ? child : [child]) if (isNode(item)) walk(item, visit);
  }
}

function namedModule(node: Node): string | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return literal(node["source"]);
    case "NewExpression": {
      const [first, second] = node["arguments"] as readonly unknown[];
      const isUrl =
        isNode(node["callee"]) && node["callee"]["name"] === "URL" && isNode(second) && second.type === "MemberExpression";
      const file = isUrl ? literal(first) : undefined;
      return file?.endsWith(".ts") ? file : undefined;
    }
    default:
      return undefined;
  }
}

function ambientUse(node: Node): string | undefined {
  if (node.type === "MemberExpression" && isNode(node["object"]) && isNode(node["property"])) {
    const name = `${node["object"]["name"]}.${node["property"]["name"]}`;
    return ambientMembers.includes(name) ? name : undefined;
  }
  if (node.type === "NewExpression" && isNode(node["callee"]) && node["callee"]["name"] === "Date") {
    return (node["arguments"] as readonly unknown[]).length === 0 ? "new Date()" : undefined;
  }
  if (node.type === "CallExpression" && isNode(node["callee"]) && node["callee"].type === "Identifier") {
    const name = node["callee"]["name"] as string;
    return ambientCalls.includes(name) ? name : undefined;
  }
  return undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

function literal(value: unknown): string | undefined {
  return isNode(value) && typeof value["value"] === "string" ? value["value"] : undefined;
}
