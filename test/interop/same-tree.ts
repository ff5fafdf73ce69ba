import { assertSameTree, treeFaults } from "./payload.ts";
import type { Program } from "./program.ts";

const SETTLE_MS = 10_000;

/** Waits until the files are the same: a program may say that it is complete a moment before its last bytes are written. */
export async function untilSameTree(program: Program, path: string, wanted: string): Promise<void> {
  const settled = program.until("the same files", async () => (await treeFaults(path, wanted)).length === 0, SETTLE_MS);
  await settled.catch(() => {});
  await assertSameTree(path, wanted);
}
