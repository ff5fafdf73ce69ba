import { open, rename, rm, stat } from "node:fs/promises";
import { CliError, fileFailure } from "./errors.ts";
import type { CliIo } from "./io.ts";

/** How standard input is called in messages. */
export function inputName(path: string): string {
  return path === "-" ? "standard input" : path;
}

/**
 * Reads a whole file, or standard input for `-`.
 * @param maxBytes attacker-controlled or mistaken input is not read further than this
 * @throws {CliError} CLI_NOT_FOUND, CLI_NO_PERMISSION, CLI_IS_A_FOLDER, CLI_TOO_LARGE, CLI_FILE_FAILED
 */
export async function readInput(path: string, io: Pick<CliIo, "stdin" | "signal">, maxBytes: number): Promise<Uint8Array> {
  if (path === "-") return await readAll(io, maxBytes);
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > maxBytes) throw tooLarge(path, maxBytes);
    return await file.readFile({ signal: io.signal });
  } catch (error) {
    throw fileFailure(path, error);
  }
}

async function readAll(io: Pick<CliIo, "stdin" | "signal">, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const iterator = io.stdin[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(io.signal.reason);
  io.signal.addEventListener("abort", abort);
  try {
    while (true) {
      io.signal.throwIfAborted();
      const { done, value } = await Promise.race([iterator.next(), aborted.promise]);
      if (done) return Buffer.concat(chunks, length);
      length += value.byteLength;
      if (length > maxBytes) throw tooLarge(inputName("-"), maxBytes);
      chunks.push(value);
    }
  } finally {
    io.signal.removeEventListener("abort", abort);
    void iterator.return?.();
  }
}

function tooLarge(name: string, maxBytes: number): CliError {
  return new CliError("CLI_TOO_LARGE", `${name}: larger than the ${maxBytes / 2 ** 20} MiB that are read`);
}

/**
 * Refuses a path that `writeOutput` would refuse, before the work for it is done.
 * @throws {CliError} CLI_EXISTS, CLI_IS_A_FOLDER, CLI_NOT_FOUND and the like
 */
export async function checkOutput(path: string, force: boolean): Promise<void> {
  if (path === "-") return;
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw fileFailure(path, error);
  }
  if (found.isDirectory()) throw new CliError("CLI_IS_A_FOLDER", `${path}: is a folder, not a file`);
  if (!force) throw exists(path);
}

/**
 * Writes a whole file, or standard output for `-`. When it fails nothing is left behind, and a file that `force` replaces stays as it was.
 * @throws {CliError} CLI_EXISTS, CLI_NO_PERMISSION, CLI_NOT_FOUND, CLI_DISK_FULL, CLI_FILE_FAILED
 */
export async function writeOutput(path: string, bytes: Uint8Array, force: boolean, io: Pick<CliIo, "stdout">): Promise<void> {
  if (path === "-") {
    io.stdout.write(bytes);
    return;
  }
  await checkOutput(path, force);
  const target = force ? `${path}.${process.pid}.part` : path;
  let made = false;
  try {
    await using file = await open(target, "wx");
    made = true;
    await file.writeFile(bytes);
    await file.sync();
    if (force) await rename(target, path);
  } catch (error) {
    if (made) await rm(target, { force: true });
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw exists(path);
    throw fileFailure(path, error);
  }
}

function exists(path: string): CliError {
  return new CliError("CLI_EXISTS", `${path}: exists already`, { hint: "--force replaces it" });
}
