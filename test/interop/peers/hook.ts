/** Scripts that programs run on an event, for programs that tell nothing else. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Hook {
  /** The executable to configure. */
  readonly path: string;
  /** Whether the program ran it. */
  fired(): boolean;
}

export async function writeHook(folder: string, name: string): Promise<Hook> {
  const path = join(folder, `${name}.sh`);
  const mark = join(folder, `${name}.fired`);
  await writeFile(path, `#!/bin/sh\n: > '${mark}'\n`, { mode: 0o755 });
  return { path, fired: () => existsSync(mark) };
}
