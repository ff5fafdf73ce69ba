import { globSync } from "node:fs";

const root = new URL("..", import.meta.url);

/** The text of docs/errors.md: every code of every `…ErrorCodes` table that an errors.ts under src/ exports, with its sentence. */
export async function errorsPage(): Promise<string> {
  const sections: string[] = [];
  for (const path of globSync("src/**/errors.ts", { cwd: root }).sort()) {
    const module = (await import(new URL(path, root).href)) as Record<string, unknown>;
    const rows = Object.entries(module)
      .filter(([name]) => name.endsWith("ErrorCodes"))
      .flatMap(([, table]) => Object.entries(table as Record<string, string>))
      .map(([code, sentence]) => `| \`${code}\` | ${sentence.replaceAll("|", "\\|")} |`);
    if (rows.length > 0)
      sections.push(
        [`## ${path.slice("src/".length, -"/errors.ts".length)}`, "", "| Code | Meaning |", "|---|---|", ...rows].join("\n"),
      );
  }
  return `# Error codes

Every error that Freshet throws on purpose, every reason that an event carries and every message of the command line has one of these codes. Match
the code, never the text: texts may get better in any version, a code keeps its meaning. \`fault\` of the error says whether a remote
party caused it (\`remote\`) or this program, its caller or its machine (\`local\`); \`details\` has the numbers.

This page is printed by \`npm run docs\` from the tables in src/**/errors.ts; a test compares.

${sections.join("\n\n")}
`;
}
