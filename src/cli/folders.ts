import { homedir } from "node:os";
import { posix, win32 } from "node:path";

type Env = Readonly<Record<string, string | undefined>>;

/** The folder that the platform keeps settings of a program in: XDG Base Directory on Linux, and what stands for it elsewhere. */
export function configFolder(env: Env, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32") return win32.join(env["APPDATA"] || win32.join(homedir(), "AppData", "Roaming"), "freshet");
  const home = env["HOME"] || homedir();
  if (platform === "darwin") return posix.join(home, "Library", "Application Support", "freshet");
  return posix.join(absolute(env["XDG_CONFIG_HOME"]) ?? posix.join(home, ".config"), "freshet");
}

/** The folder for what a program must remember from one run to the next. */
export function stateFolder(env: Env, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32") return win32.join(env["LOCALAPPDATA"] || win32.join(homedir(), "AppData", "Local"), "freshet");
  const home = env["HOME"] || homedir();
  if (platform === "darwin") return posix.join(home, "Library", "Application Support", "freshet");
  return posix.join(absolute(env["XDG_STATE_HOME"]) ?? posix.join(home, ".local", "state"), "freshet");
}

/** A path of an XDG variable; the specification says that relative ones are to be ignored. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && posix.isAbsolute(path) ? path : undefined;
}
