/** The adapter of the benchmark harness for Freshet used as a library; bench/README.md has the protocol. */
import { readFileSync, writeFileSync } from "node:fs";
import { Client } from "../../src/client/index.ts";

const [role, torrentFile = "", folder = "", ...rest] = process.argv.slice(2);

if (role === "info") {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  console.log(JSON.stringify({ version: `freshet ${version} on node ${process.version}`, peer: "direct" }));
} else {
  const [peer, port] = role === "seed" ? [undefined, rest[0]] : rest;
  const client = await Client.open({ hosts: ["127.0.0.1"], ports: [Number(port)], output: folder });
  const peers = peer === undefined ? [] : [peer];
  const torrent = await client.add(readFileSync(torrentFile), { peers, useTrackers: false });
  await torrent.whenComplete();
  writeFileSync(process.env["BENCH_NOTIFY"] as string, role === "seed" ? "READY\n" : "DONE\n");
}
