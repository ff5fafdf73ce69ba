import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { version } from "#/base/version.ts";
import { record } from "../../test/cli-recorder.ts";
import type { Command, CommandEntry } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { cliErrorCodes, describeFailure } from "./errors.ts";
import { addSettings, type SettingValues } from "./settings.ts";

describe("the program", () => {
  test("prints its version", async () => {
    const { exitCode, stdout } = await record(["--version"]);
    assert.deepEqual({ exitCode, stdout }, { exitCode: 0, stdout: `${version}\n` });
    assert.match(version, /^\d+\.\d+\.\d+/);
  });

  test("lists every command in its help", async () => {
    for (const args of [["--help"], ["-h"], ["help"]]) {
      const { exitCode, stdout, stderr } = await record(args);
      assert.equal(exitCode, 0);
      assert.equal(stderr, "");
      for (const { name, summary } of commandTable)
        assert.ok(stdout.includes(`  ${name} `) && stdout.includes(summary.slice(0, 20)), name);
    }
  });

  for (const entry of commandTable) {
    test(`prints the help of ${entry.name} with an example`, async () => {
      const { exitCode, stdout, stderr } = await record([entry.name, "--help"]);
      assert.equal(exitCode, 0);
      assert.equal(stderr, "");
      assert.match(stdout, new RegExp(`^Usage: freshet ${entry.name} `));
      assert.match(stdout, /\nExample:\n {2}\$ .*freshet /);
      assert.equal((await record(["help", entry.name])).stdout, stdout);
    });
  }

  const refusals: readonly { readonly name: string; readonly args: readonly string[]; readonly stderr: string }[] = [
    {
      name: "no command",
      args: [],
      stderr:
        "freshet: say what to do: freshet <command> [CLI_MISSING_ARGUMENT]\nhint: freshet --help lists the commands; freshet demo shows one at work\n",
    },
    {
      name: "a command that is misspelt",
      args: ["bencod", "x"],
      stderr: "freshet: unknown command 'bencod' [CLI_UNKNOWN_COMMAND]\nhint: did you mean bencode?\n",
    },
    {
      name: "an option that is misspelt",
      args: ["bencode", "-", "--encod"],
      stderr: "freshet: unknown option '--encod' [CLI_UNKNOWN_OPTION]\nhint: did you mean --encode?\n",
    },
    {
      name: "an option like no other",
      args: ["bencode", "-", "--xyzzy"],
      stderr: "freshet: unknown option '--xyzzy' [CLI_UNKNOWN_OPTION]\nhint: freshet bencode --help says what there is\n",
    },
    {
      name: "an option of the program that is unknown",
      args: ["--versio"],
      stderr: "freshet: unknown option '--versio' [CLI_UNKNOWN_OPTION]\nhint: did you mean --version?\n",
    },
    {
      name: "an option without its value",
      args: ["bencode", "-", "--output"],
      stderr:
        "freshet: option '-o, --output <file>' argument missing [CLI_MISSING_ARGUMENT]\nhint: freshet bencode --help says what there is\n",
    },
    {
      name: "an argument too many",
      args: ["bencode", "a", "b"],
      stderr:
        "freshet: too many arguments. Expected 1 argument but got 2: a, b [CLI_EXCESS_ARGUMENT]\nhint: freshet bencode --help says what there is\n",
    },
  ];
  for (const { name, args, stderr } of refusals) {
    test(`refuses ${name} with status 2`, async () => {
      const run = await record(args);
      assert.deepEqual({ exitCode: run.exitCode, stdout: run.stdout, stderr: run.stderr }, { exitCode: 2, stdout: "", stderr });
    });
  }
});

interface ProbeOptions extends SettingValues<"output" | "peer" | "down" | "port" | "noTracker" | "tracker" | "timeout"> {}

/** Runs a command that takes settings and does nothing else, and gives the options that it saw. */
async function probe(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let seen: unknown;
  const command: Command<ProbeOptions> = {
    description: "",
    example: "",
    printsEvents: true,
    define: (definition) => addSettings(definition, ["output", "peer", "down", "port", "noTracker", "tracker", "timeout"]),
    run: async (_args, options) => {
      seen = options;
      return 0;
    },
  };
  const entry: CommandEntry = { name: "probe", summary: "", load: async () => command };
  return { ...(await record(["probe", ...args], { env, table: [entry] })), options: seen };
}

describe("settings", () => {
  const folder = mkdtempSync(join(tmpdir(), "freshet-settings-"));
  after(() => rmSync(folder, { recursive: true }));
  const config = (text: string): string => {
    const path = join(folder, "freshet.toml");
    writeFileSync(path, text);
    return path;
  };

  test("come from options", async () => {
    const { options } = await probe([
      "--down",
      "2M",
      "--peer",
      "192.0.2.1:1",
      "--peer",
      "[::1]:2",
      "--no-tracker",
      "--tracker",
      "udp://t.example:1",
      "-vv",
    ]);
    assert.deepEqual(options, {
      down: 2_097_152,
      peer: [
        { host: "192.0.2.1", port: 1 },
        { host: "::1", port: 2 },
      ],
      noTracker: true,
      tracker: ["udp://t.example:1"],
      verbose: 2,
    });
  });

  test("come from the environment when no option says otherwise", async () => {
    const env = {
      FRESHET_DOWN: "1k",
      FRESHET_OUTPUT: "/a",
      FRESHET_NO_TRACKER: "1",
      FRESHET_PEER: "192.0.2.1:1  [::1]:2",
      FRESHET_JSON: "0",
    };
    const { options } = await probe(["--output", "/b"], env);
    assert.deepEqual(options, {
      down: 1024,
      output: "/b",
      noTracker: true,
      json: false,
      peer: [
        { host: "192.0.2.1", port: 1 },
        { host: "::1", port: 2 },
      ],
    });
  });

  test("come from freshet.toml last, where a command's own table goes before the rest", async () => {
    const path = config(
      'down = "3k"\nport = 7000\noutput = "/c"\ntracker = ["udp://t.example:1"]\nno-tracker = true\n[probe]\noutput = "/d"\n[other]\nup = "1"\n',
    );
    const expected = { port: 7000, output: "/d", tracker: ["udp://t.example:1"], noTracker: true };
    assert.deepEqual((await probe(["--config", path], { FRESHET_DOWN: "1k" })).options, { ...expected, config: path, down: 1024 });
    assert.deepEqual((await probe(["--down", "2k"], { FRESHET_CONFIG: path })).options, { ...expected, down: 2048 });
    assert.deepEqual((await probe([], { FRESHET_CONFIG: path, FRESHET_OUTPUT: "/e" })).options, {
      ...expected,
      down: 3072,
      output: "/e",
    });
  });

  test("are read from the platform's folder, where the file may be absent", async () => {
    const path = join(folder, "freshet");
    assert.deepEqual((await probe([], { XDG_CONFIG_HOME: path })).options, {});
  });

  const refusals: readonly {
    readonly name: string;
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly toml?: string;
    readonly stderr: RegExp;
  }[] = [
    {
      name: "a bad rate",
      args: ["--down", "fast"],
      stderr: /^freshet: --down: "fast" is not a rate such as .* \[CLI_BAD_RATE\]$/m,
    },
    {
      name: "a bad address",
      args: ["--peer", "nowhere"],
      stderr: /^freshet: --peer: "nowhere" is not an address .* \[CLI_BAD_ADDRESS\]$/m,
    },
    {
      name: "a SCION address",
      args: ["--peer", "1-ff00:0:110,[192.0.2.1]:6881"],
      stderr: /1-ff00:0:110,\[192.0.2.1\]:6881 is a SCION address.* \[CLI_SCION_UNSUPPORTED\]$/m,
    },
    { name: "a bad time", args: ["--timeout", "soon"], stderr: /^freshet: --timeout: "soon" .* \[CLI_BAD_TIME\]$/m },
    { name: "a bad port", args: ["--port", "70000"], stderr: /^freshet: --port: "70000" .* \[CLI_BAD_NUMBER\]$/m },
    { name: "a bad level", args: ["--log-level", "loud"], stderr: /^freshet: --log-level: "loud" .* \[CLI_BAD_VALUE\]$/m },
    {
      name: "a bad value in the environment",
      env: { FRESHET_DOWN: "fast" },
      stderr: /^freshet: FRESHET_DOWN: "fast" .* \[CLI_BAD_RATE\]$/m,
    },
    {
      name: "a bad flag in the environment",
      env: { FRESHET_NO_TRACKER: "perhaps" },
      stderr: /^freshet: FRESHET_NO_TRACKER: "perhaps" .* \[CLI_BAD_VALUE\]$/m,
    },
    { name: "a settings file that is no TOML", toml: "down = \n", stderr: /freshet\.toml, line 1: .* \[CLI_BAD_CONFIG\]$/m },
    {
      name: "a setting that does not exist",
      toml: "dwon = 1\n",
      stderr: /freshet\.toml: there is no setting dwon \[CLI_BAD_CONFIG\]$/m,
    },
    {
      name: "a setting of the wrong type",
      toml: "down = true\n",
      stderr: /freshet\.toml: down: a text or a number is wanted \[CLI_BAD_CONFIG\]$/m,
    },
    {
      name: "a flag of the wrong type",
      toml: "no-tracker = 1\n",
      stderr: /freshet\.toml: no-tracker: true or false is wanted \[CLI_BAD_CONFIG\]$/m,
    },
    { name: "a bad value in the file", toml: 'down = "fast"\n', stderr: /freshet\.toml: down: "fast" .* \[CLI_BAD_RATE\]$/m },
  ];
  for (const { name, args = [], env = {}, toml, stderr } of refusals) {
    test(`refuse ${name} with status 2`, async () => {
      const run = await probe(toml === undefined ? args : ["--config", config(toml)], env);
      assert.equal(run.exitCode, 2);
      assert.equal(run.stdout, "");
      assert.match(run.stderr, stderr);
      assert.equal(run.options, undefined);
    });
  }

  test("file that was asked for and is absent is an error", async () => {
    const run = await probe(["--config", join(folder, "absent.toml")]);
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, /absent\.toml: no such file or folder \[CLI_NOT_FOUND\]$/m);
  });
});

describe("failures", () => {
  const failing = (error: unknown): CommandEntry => ({
    name: "fail",
    summary: "",
    load: async () => ({
      description: "",
      example: "",
      printsEvents: true,
      define: () => {},
      run: async () => {
        throw error;
      },
    }),
  });

  test("of commands with events end the events", async () => {
    const { exitCode, stdout, stderr } = await record(["fail", "--json"], { table: [failing(new TypeError("x is not y"))] });
    assert.equal(exitCode, 1);
    const { time, hint, ...event } = JSON.parse(stdout) as Record<string, string>;
    assert.deepEqual(event, { event: "failed", message: "TypeError: x is not y", code: "INTERNAL" });
    assert.equal(new Date(time as string).toISOString(), time);
    assert.match(hint as string, /fault of Freshet/);
    assert.match(stderr, /^freshet: TypeError: x is not y \[INTERNAL\]\nhint: /);
  });

  test("after Ctrl-C are status 130", async () => {
    const signal = AbortSignal.abort();
    const { exitCode, stdout, stderr } = await record(["fail", "--json"], { signal, table: [failing(signal.reason)] });
    assert.equal(exitCode, 130);
    assert.equal((JSON.parse(stdout) as { code: string }).code, "CLI_INTERRUPTED");
    assert.equal(stderr, "freshet: stopped before it was done [CLI_INTERRUPTED]\n");
  });

  test("cannot write control characters to a terminal", async () => {
    const { stderr } = await record(["fail"], { table: [failing(new Error("\u001b[2Jname\u202e\n"))] });
    assert.match(stderr, /^freshet: Error: \ufffd\[2Jname\ufffd\ufffd \[INTERNAL\]\n/);
  });

  test("that are no errors are told too", () => assert.equal(describeFailure("plain").message, "Error: plain"));

  test("have a sentence for each code", () => {
    for (const sentence of Object.values(cliErrorCodes)) assert.match(sentence, /^[a-z].*[^.]$/);
  });
});
