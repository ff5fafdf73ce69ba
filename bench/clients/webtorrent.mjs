import { readFileSync, writeFileSync } from "node:fs";

const [role, torrentFile, folder, ...rest] = process.argv.slice(2);
const utp = process.env.WT_UTP === "1";

if (role === "info") {
  const { version } = JSON.parse(readFileSync(new URL("../node_modules/webtorrent/package.json", import.meta.url)));
  console.log(
    JSON.stringify({
      version: `webtorrent ${version} on node ${process.version}`,
      peer: "direct",
      transports: [utp ? "utp" : "tcp"],
    }),
  );
  process.exit();
}
const { default: WebTorrent } = await import("webtorrent");
const [peer, port] = role === "seed" ? [null, rest[0]] : rest;
const client = new WebTorrent({
  torrentPort: Number(port),
  dht: false,
  lsd: false,
  utPex: false,
  natUpnp: false,
  natPmp: false,
  tracker: false,
  utp,
  secure: 0,
  webSeeds: false,
});
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
const notify = (word) => writeFileSync(process.env.BENCH_NOTIFY, `${word}\n`);
const torrent = client.add(readFileSync(torrentFile), { path: folder });
if (role === "seed") {
  torrent.once("done", () => (client.listening ? notify("READY") : client.once("listening", () => notify("READY"))));
} else {
  torrent.once("infoHash", () => torrent.addPeer(peer));
  torrent.once("done", () => notify("DONE"));
}
