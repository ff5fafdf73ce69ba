/**
 * Runs a command on a terminal and writes its last screen as a picture:
 *
 *     node scripts/record-screen.ts docs/demo.svg npx freshet demo
 *
 * Needs `script` of util-linux, which makes the terminal. COLUMNS and LINES set its size (default 100 by 30).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { screenSvg } from "./screen-svg.ts";
import { TerminalScreen } from "./terminal-screen.ts";

const [picture, ...command] = process.argv.slice(2);
if (picture === undefined || command.length === 0) {
  console.error("usage: node scripts/record-screen.ts PICTURE COMMAND [ARGUMENT…]");
  process.exit(2);
}
const screen = new TerminalScreen(Number(process.env["COLUMNS"] ?? 100), Number(process.env["LINES"] ?? 30));
const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
const shell = `stty cols ${screen.columns} rows ${screen.rows}; exec ${quoted}`;
const { NO_COLOR: _, CI: __, ...environment } = process.env;
const child = spawn("script", ["--quiet", "--flush", "--return", "--command", shell, "/dev/null"], {
  env: { ...environment, TERM: "xterm-256color", FORCE_COLOR: "3", npm_config_loglevel: "error" },
  stdio: ["ignore", "pipe", "inherit"],
});
const text = new StringDecoder("utf8"); // a character may come in two parts
child.stdout.on("data", (bytes: Buffer) => screen.write(text.write(bytes)));
const [status] = await once(child, "close");
if (status !== 0) {
  console.error(`${command.join(" ")} ended with ${status}:\n${screen.text}`);
  process.exit(1);
}
writeFileSync(picture, screenSvg(screen, command.join(" ")));
