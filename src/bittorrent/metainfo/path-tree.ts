import { FolderNames, type NameRules } from "./safe-names.ts";

/** A folder keeps its name and its parent only: whole paths in each would make a deep path cost the square of its depth. */
interface Folder {
  readonly parent: Folder | undefined;
  readonly safeName: string;
  /** 1 for the torrent's own folder. */
  readonly depth: number;
  readonly names: FolderNames;
  /** By identity. */
  folders: Map<string, Folder> | undefined;
}

/**
 * Gives each file of a torrent its safe path. Files and folders with different names in the torrent get different names,
 * even where a file system does not tell upper from lower case or one Unicode form from another; a file and a folder of
 * the same name too. The result depends on the order of the files only.
 */
export class PathTree {
  readonly #rules: NameRules;
  readonly #root: Folder;

  /** @param root safe name of the torrent's folder, which every safe path begins with */
  constructor(root: string, rules: NameRules) {
    this.#rules = rules;
    this.#root = this.#folder(root, undefined);
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
      let next = folder.folders?.get(identity);
      if (next === undefined) {
        next = this.#folder(folder.names.takeFolder(texts[i] as string), folder);
        folder.folders ??= new Map();
        folder.folders.set(identity, next);
      }
      folder = next;
    }
    const name = folder.names.tryTakeFile(texts[last] as string, identities[last] as string);
    return name === undefined ? undefined : pathOf(folder, name);
  }

  /** The safe path of a file or folder that was added. */
  find(texts: readonly string[], identities: readonly string[]): readonly string[] | undefined {
    const last = texts.length - 1;
    if (last < 0) return undefined;
    let parent: Folder | undefined = this.#root;
    for (let i = 0; i < last && parent !== undefined; i++) parent = parent.folders?.get(identities[i] as string);
    if (parent === undefined) return undefined;
    const identity = identities[last] as string;
    const name = parent.names.findFile(texts[last] as string, identity) ?? parent.folders?.get(identity)?.safeName;
    return name === undefined ? undefined : pathOf(parent, name);
  }

  #folder(safeName: string, parent: Folder | undefined): Folder {
    return { parent, safeName, depth: (parent?.depth ?? 0) + 1, names: new FolderNames(this.#rules), folders: undefined };
  }
}

function pathOf(parent: Folder, name: string): string[] {
  const path = new Array<string>(parent.depth + 1);
  path[parent.depth] = name;
  for (let folder: Folder | undefined = parent; folder !== undefined; folder = folder.parent)
    path[folder.depth - 1] = folder.safeName;
  return path;
}
