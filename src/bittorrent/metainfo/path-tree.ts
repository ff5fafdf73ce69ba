import { FolderNames, type NameRules } from "./safe-names.ts";

interface Folder {
  readonly safePath: readonly string[];
  readonly folders: Map<string, Folder>;
  readonly names: FolderNames;
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
   * @param texts parts of the path below the torrent's folder, at least one; each stands for one name, whatever it contains
   * @param identities the same parts, such that two are the same text only when they are the same name
   * @returns undefined when the very same path is there already
   */
  tryAdd(texts: readonly string[], identities: readonly string[]): readonly string[] | undefined {
    const last = texts.length - 1;
    let folder = this.#root;
    for (let i = 0; i < last; i++) {
      const identity = identities[i] as string;
      let next = folder.folders.get(identity);
      if (next === undefined) {
        next = this.#folder(append(folder.safePath, folder.names.takeFolder(texts[i] as string)));
        folder.folders.set(identity, next);
      }
      folder = next;
    }
    const name = folder.names.tryTakeFile(texts[last] as string, identities[last] as string);
    return name === undefined ? undefined : append(folder.safePath, name);
  }

  /** The safe path of a file or folder that was added. */
  find(texts: readonly string[], identities: readonly string[]): readonly string[] | undefined {
    const last = texts.length - 1;
    if (last < 0) return undefined;
    let folder: Folder | undefined = this.#root;
    for (let i = 0; i < last; i++) {
      folder = folder.folders.get(identities[i] as string);
      if (folder === undefined) return undefined;
    }
    const file = folder.names.findFile(texts[last] as string, identities[last] as string);
    return file === undefined ? folder.folders.get(identities[last] as string)?.safePath : append(folder.safePath, file);
  }

  #folder(safePath: readonly string[]): Folder {
    return { safePath, folders: new Map(), names: new FolderNames(this.#rules) };
  }
}

function append(path: readonly string[], name: string): string[] {
  const longer = new Array<string>(path.length + 1);
  for (let i = 0; i < path.length; i++) longer[i] = path[i] as string;
  longer[path.length] = name;
  return longer;
}
