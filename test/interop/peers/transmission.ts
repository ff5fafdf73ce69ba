import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bed } from "../bed.ts";
import { PLAIN_LOOPBACK } from "../namespace.ts";
import type { Program } from "../program.ts";
import type { LeechJob, PeerProgram, SeedJob } from "./peer.ts";

const SEEDING = 6; // the RPC's TR_STATUS_SEED
const WRONG_SESSION = 409;

/** transmission-daemon, driven through its RPC. It refuses peers in 127.0.0.0/8. */
export const transmission: PeerProgram = {
  name: "Transmission",
  requirement: { command: ["transmission-daemon", "--version"], debianPackage: "transmission-daemon" },
  host: PLAIN_LOOPBACK,
  makesEmptyFiles: false,
  async seed(bed, job) {
    const { program, complete } = await start(bed, job);
    await program.until("Transmission has checked the data", complete);
    return { program, endpoint: job.endpoint };
  },
  async leech(bed, job) {
    const { program, complete } = await start(bed, job);
    return {
      program,
      endpoint: job.endpoint,
      finished: async () => void (await program.until("Transmission is complete", complete)),
    };
  },
};

async function start(bed: Bed, job: SeedJob | LeechJob): Promise<{ program: Program; complete: () => Promise<boolean> }> {
  const { host, port } = job.endpoint;
  const state = await bed.subfolder("transmission");
  const rpcPort = bed.port();
  const settings = {
    "bind-address-ipv4": host,
    "bind-address-ipv6": "::1",
    "dht-enabled": false,
    "download-dir": job.folder,
    encryption: 1, // dials encrypted first, then in plain text
    "lpd-enabled": false,
    "peer-port": port,
    "peer-port-random-on-start": false,
    "pex-enabled": false,
    "port-forwarding-enabled": false,
    preallocation: 0,
    "ratio-limit-enabled": false,
    "rpc-authentication-required": false,
    "rpc-bind-address": host,
    "rpc-host-whitelist-enabled": false,
    "rpc-port": rpcPort,
    "rpc-whitelist-enabled": false,
    "utp-enabled": false,
  };
  await writeFile(join(state, "settings.json"), JSON.stringify(settings));
  const program = bed.start({
    name: "transmission-daemon",
    folder: state,
    command: ["transmission-daemon", "--foreground", "--config-dir", state, "--log-info"],
  });
  await program.untilListening(rpcPort);
  await program.untilListening(port);
  let session = "";
  const call = async (method: string, parameters: object): Promise<unknown> => {
    for (;;) {
      const answer = await fetch(`http://${host}:${rpcPort}/transmission/rpc`, {
        method: "POST",
        headers: { "x-transmission-session-id": session },
        body: JSON.stringify({ method, arguments: parameters }),
      });
      if (answer.status === WRONG_SESSION) {
        session = answer.headers.get("x-transmission-session-id") ?? "";
        await answer.body?.cancel();
        continue;
      }
      const body = (await answer.json()) as { result: string; arguments: unknown };
      if (body.result !== "success") throw new Error(`Transmission ${method}: ${body.result}\n${program.tail()}`);
      return body.arguments;
    }
  };
  await call("torrent-add", { metainfo: (await readFile(job.torrent.path)).toString("base64"), "download-dir": job.folder });
  const complete = async (): Promise<boolean> => {
    const fields = ["percentDone", "status"];
    const { torrents } = (await call("torrent-get", { fields })) as { torrents: { percentDone: number; status: number }[] };
    return torrents.some((torrent) => torrent.percentDone === 1 && torrent.status === SEEDING);
  };
  return { program, complete };
}
