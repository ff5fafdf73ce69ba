import { decodeUtf8Loose } from "#/base/bytes.ts";
import { BencodeError, type DecodedPrefix, decodePrefix, encode } from "#/bittorrent/bencode/index.ts";
import { formatBencodeJson, parseBencodeJson } from "../bencode-json.ts";
import type { Command } from "../command.ts";
import { CliError, NamedError } from "../errors.ts";
import { inputName, readInput, writeOutput } from "../files.ts";
import type { CliIo } from "../io.ts";

interface BencodeOptions {
  readonly file?: string;
  readonly encode?: true;
  readonly output: string;
  readonly force?: true;
}

const MAX_INPUT_LENGTH = 134_217_728;

export const bencode: Command<BencodeOptions> = {
  description:
    "Prints a bencoded file (a torrent, a tracker's answer) as JSON. With --encode, turns such JSON into bencoded bytes.",
  example: "printf 'd3:cow3:moo4:spaml1:a1:bee' | freshet bencode -",
  notes: `
The JSON can be turned back into the same bytes. Integers are numbers with all their digits. A byte string is a string where it is
UTF-8, and {"hex": "00ff"} where it is not. A dictionary is an object; where that could be taken for something else (its only key is
"hex" or "dictionary", or a key is not UTF-8) it is {"dictionary": [[key, value], ...]}. With --json all is on one line.`,
  printsEvents: false,
  define(command) {
    command
      .argument("[file]", "file to read; - is standard input")
      .option("-f, --file <file>", "the same as an option")
      .option("--encode", "from JSON to bencoded bytes")
      .option("-o, --output <file>", "file to write; - is standard output", "-")
      .option("--force", "replace the output file if it exists");
  },
  async run([argument], options, io) {
    if (argument !== undefined && options.file !== undefined) {
      throw new CliError("CLI_EXCESS_ARGUMENT", `two files to read: ${argument} and ${options.file}`);
    }
    const path = argument ?? options.file;
    if (path === undefined) throw new CliError("CLI_MISSING_ARGUMENT", "no file to read", { hint: "- reads standard input" });
    const input = await readInput(path, io, MAX_INPUT_LENGTH);
    const name = inputName(path);
    if (options.encode) await writeOutput(options.output, encodeJson(input, name), options.force ?? false, io);
    else {
      const text = `${formatBencodeJson(decodeFile(input, name, io), options.json ? 0 : 2)}\n`;
      await writeOutput(options.output, Buffer.from(text), options.force ?? false, io);
    }
    return 0;
  },
};

function encodeJson(input: Uint8Array, name: string): Uint8Array {
  const value = parseBencodeJson(decodeUtf8Loose(input), name);
  try {
    return encode(value);
  } catch (error) {
    throw error instanceof BencodeError ? new NamedError(name, error) : error;
  }
}

function decodeFile(input: Uint8Array, name: string, io: CliIo): DecodedPrefix["value"] {
  let decoded: DecodedPrefix;
  try {
    decoded = decodePrefix(input, { minInteger: -(2n ** 1024n), maxInteger: 2n ** 1024n });
  } catch (error) {
    throw error instanceof BencodeError ? new NamedError(name, error) : error;
  }
  const trailing = input.byteLength - decoded.end;
  if (trailing > 0) {
    const cause = new BencodeError(
      "BENCODE_TRAILING_BYTES",
      `${trailing} bytes follow the value that ends at byte ${decoded.end}`,
      { fault: "remote" },
    );
    const newline = trailing === 1 && input[decoded.end] === 0x0a;
    throw new NamedError(name, cause, newline ? "it is a line break: printf writes none, echo does" : undefined);
  }
  const [issue] = decoded.issues;
  if (issue !== undefined) {
    io.stderr.write(`${name}: not canonical (${issue.type} at byte ${issue.at}): --encode would give other bytes\n`);
  }
  return decoded.value;
}
