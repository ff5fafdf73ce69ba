/**
 * Measures the time from the start of `freshet download` to its first request on the wire, against a seeder in this process that
 * answers at once: `node bench/first-request.ts [RUNS]`. Prints one JSON line; the goal is a median of 400 ms at most.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../src/base/log.ts";
import { buildMetainfo, parseMetainfo } from "../src/bittorrent/metainfo/index.ts";
import { encodeHandshake, encodeMessage, FrameDecoder, HandshakeDecoder, type WireMessage } from "../src/bittorrent/wire/index.ts";

const launcher = fileURLToPath(new URL("../bin/freshet.js", import.meta.url));
const runs = Number(process.argv[2] ?? 10);
const PIECE_LENGTH = 262_144;
const PIECE_COUNT = 4096;

const folder = mkdtempSync(join(tmpdir(), "freshet-first-request-"));
const torrent = join(folder, "sample.torrent");
const bytes = buildMetainfo({
  name: "sample",
  length: PIECE_LENGTH * PIECE_COUNT,
  pieceLength: PIECE_LENGTH,
  pieces: randomBytes(20 * PIECE_COUNT),
});
writeFileSync(torrent, bytes);
const { infoHash } = parseMetainfo(bytes);

const times: number[] = [];
try {
  await measure(0); // the first start compiles; it is not counted
  for (let run = 1; run <= runs; run++) times.push(await measure(run));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const sorted = times.map(Math.round).sort((a, b) => a - b);
console.log(
  JSON.stringify({
    what: "process start to first request",
    medianMs: sorted[Math.floor(sorted.length / 2)],
    minMs: sorted[0],
    maxMs: sorted.at(-1),
    runs,
    node: process.version,
  }),
);

/** Milliseconds from just before the process is spawned until its first request has arrived. */
async function measure(run: number): Promise<number> {
  const requested = Promise.withResolvers<number>();
  const server = createServer((socket) => serve(socket, () => requested.resolve(performance.now())));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const start = performance.now();
  const child = startDownload(server, run);
  child.on("exit", (code) => requested.reject(new Error(`freshet ended with ${code} before it requested anything`)));
  try {
    return (await requested.promise) - start;
  } finally {
    child.removeAllListeners("exit");
    if (child.kill("SIGKILL")) await once(child, "exit");
    server.close();
  }
}

function startDownload(server: Server, run: number): ChildProcess {
  const { port } = server.address() as AddressInfo;
  const places = ["--output", join(folder, `out-${run}`), "--state", join(folder, `state-${run}`)];
  const network = ["--peer", `127.0.0.1:${port}`, "--listen", "127.0.0.1", "--no-tracker"];
  return spawn(process.execPath, [launcher, "download", torrent, ...places, ...network], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** A seeder that has everything, unchokes at once and sends nothing. */
function serve(socket: Socket, onRequest: () => void): void {
  const sink = {
    message: (message: WireMessage): void => {
      if (message.type === "interested") socket.write(encodeMessage({ type: "unchoke" }));
      if (message.type === "request") onRequest();
    },
    keepAlive: ignore,
    unknown: ignore,
    blockStart: ignore,
    blockData: ignore,
    blockEnd: ignore,
  };
  const frames = new FrameDecoder(sink, { maxMessageLength: 1_048_576, maxBlockLength: 16_384 });
  const handshake = new HandshakeDecoder();
  let greeted = false;
  socket.on("error", (error) => silentLogger.debug(error.message)); // the client is killed once it has asked
  socket.on("data", (chunk: Buffer) => {
    if (greeted) return frames.receive(chunk);
    const done = handshake.push(chunk);
    if (done === undefined) return;
    greeted = true;
    socket.write(encodeHandshake({ infoHash, peerId: randomBytes(20), fast: true }));
    socket.write(encodeMessage({ type: "haveAll" }));
    frames.receive(done.rest);
  });
}

function ignore(): void {}
