import type { CommandEntry } from "./command.ts";

/** Every command, in the order that help lists them. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "bencode",
    summary: "turn bencoded data into JSON, and back",
    load: async () => (await import("./commands/bencode.ts")).bencode,
  },
];
