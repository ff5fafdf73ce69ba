/** The adapter of the benchmark harness for Freshet used as a library; bench/README.md has the protocol. */
import { readFileSync, writeFileSync } from "node:fs";
import { Client } from "../../src/client/index.ts";

const [role, torrentFile = "", folder = "", ...rest] = process.argv.slice(2);

if (role === "info") {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  console.log(JSON.stringify({ version: `freshet ${version} on node ${process.version}`, peer: "direct" }));
} else {
  const [peer, port] = role === "seed" ? [undefined, rest[0]] : rest;
  const client = await Client.open({ listen: [`127.0.0.1:${port}`] });
  const torrent = await client.add(readFileSync(torrentFile), {
    output: folder,
    peers: peer === undefined ? [] : [peer],
    useTrackers: false,
  });
  const notify = (): void => writeFileSync(process.env["BENCH_NOTIFY"] as string, role === "seed" ? "READY\n" : "DONE\n");
  if (torrent.stats().complete) notify();
  else torrent.once("complete", notify);
}
