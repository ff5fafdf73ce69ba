import { type NameRules, NameSet } from "./safe-names.ts";

interface Folder {
  readonly safePath: readonly string[];
  readonly folders: Map<string, Folder>;
  readonly files: Map<string, readonly string[]>;
  readonly names: NameSet;
}

/**
 * Gives each file of a torrent its safe path. Files and folders with different names in the torrent get different names,
 * even where a file system does not tell upper from lower case or one Unicode form from another; a file and a folder of
 * the same name too. The result depends on the order of the files only.
 */
export class PathTree {
  readonly #rules: NameRules;
  readonly #root: Folder;

  constructor(root: readonly string[], rules: NameRules) {
    this.#rules = rules;
    this.#root = this.#folder(root);
  }

  /**
   * Adds a file.
   * @param path parts below the torrent's folder, at least one; each stands for one name, whatever it contains
   * @returns undefined when the very same path is there already
   */
  tryAdd(path: readonly string[], displayed: readonly string[] = path): readonly string[] | undefined {
    const last = path.length - 1;
    let folder = this.#root;
    for (let i = 0; i < last; i++) {
      const name = path[i] as string;
      let next = folder.folders.get(name);
      if (next === undefined) {
        next = this.#folder([...folder.safePath, folder.names.take(displayed[i] as string)]);
        folder.folders.set(name, next);
      }
      folder = next;
    }
    const name = path[last] as string;
    if (folder.files.has(name)) return undefined;
    const safePath = [...folder.safePath, folder.names.take(displayed[last] as string)];
    folder.files.set(name, safePath);
    return safePath;
  }

  /** The safe path of a file or folder that was added. */
  find(path: readonly string[]): readonly string[] | undefined {
    let folder: Folder | undefined = this.#root;
    for (let i = 0; i < path.length - 1; i++) {
      folder = folder.folders.get(path[i] as string);
      if (folder === undefined) return undefined;
    }
    const name = path.at(-1);
    if (name === undefined) return undefined;
    return folder.files.get(name) ?? folder.folders.get(name)?.safePath;
  }

  #folder(safePath: readonly string[]): Folder {
    return { safePath, folders: new Map(), files: new Map(), names: new NameSet(this.#rules) };
  }
}
