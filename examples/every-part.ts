// Each subpath export of the package by itself: bencoding, torrent files, trackers, the client.
import { Client } from "freshet-torrent";
import { type BencodeDictionary, decode } from "freshet-torrent/bencode";
import { buildMetainfo, parseMetainfo } from "freshet-torrent/metainfo";
import { scrape, TrackerError } from "freshet-torrent/tracker";

const bytes = buildMetainfo({ name: "hello.txt", length: 5, pieceLength: 16_384, pieces: new Uint8Array(20) });
const keys = Array.from((decode(bytes) as BencodeDictionary).entries(), ([key]) => key);
const { name, infoHash, infoHashHex } = parseMetainfo(bytes);
await using client = await Client.open({ hosts: [] }); // reached by nobody
const torrent = await client.add(bytes, { paused: true, useTrackers: false });
const problem = await scrape("http://127.0.0.1:1/announce", [infoHash]).catch((error: TrackerError) => error);
const code = problem instanceof TrackerError ? problem.code : "none";
console.log(JSON.stringify({ keys, name, infoHashHex, totalBytes: torrent.stats().totalBytes, code }));
