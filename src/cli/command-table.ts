import type { CommandEntry } from "./command.ts";

/** Every command, in the order that help lists them. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "demo",
    summary: "a tracker, a seeder and a leecher on this machine: a real download, drawn while it runs",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
  {
    name: "download",
    summary: "download one or more torrents",
    load: async () => (await import("./commands/download.ts")).download,
  },
  {
    name: "seed",
    summary: "check the data of a torrent, then seed it",
    load: async () => (await import("./commands/seed.ts")).seed,
  },
  {
    name: "create",
    summary: "write a torrent file",
    load: async () => (await import("./commands/create.ts")).create,
  },
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
    name: "check",
    summary: "verify data against a torrent",
    load: async () => (await import("./commands/check.ts")).check,
  },
  {
    name: "bencode",
    summary: "turn bencoded data into JSON, and back",
    load: async () => (await import("./commands/bencode.ts")).bencode,
  },
];
