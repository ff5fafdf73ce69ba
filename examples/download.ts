import { readFile } from "node:fs/promises";
import { Client } from "freshet-torrent";

const [file = "", output = ".", ...peers] = process.argv.slice(2);
await using client = await Client.open({ output });
const torrent = await client.add(await readFile(file), { peers });
torrent.on("pieceVerified", ({ have, total }) => console.log(`${have} of ${total} pieces`));
torrent.on("peerConnected", ({ address, client: program }) => console.log(`connected to ${program} at ${address}`));
await torrent.whenComplete();
console.log(`${torrent.name} is in ${output}`);
