import type { CommandEntry } from "./command.ts";

/** Every command, in the order that help lists them. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "metainfo",
    summary: "print what a torrent says",
    load: async () => (await import("./commands/metainfo.ts")).metainfo,
  },
  {
    name: "scrape",
    summary: "ask a tracker how many seeders and leechers a torrent has",
    load: async () => (await import("./commands/scrape.ts")).scrape,
  },
  {
    name: "bencode",
    summary: "turn bencoded data into JSON, and back",
    load: async () => (await import("./commands/bencode.ts")).bencode,
  },
];
