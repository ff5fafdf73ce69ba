import type { Bed } from "../bed.ts";
import type { Program } from "../program.ts";
import { type Hook, writeHook } from "./hook.ts";
import type { LeechJob, PeerProgram, SeedJob } from "./peer.ts";

/** aria2c. It runs its hook both when a download is complete and when the data of a seed is checked. */
export const aria2: PeerProgram = {
  name: "aria2",
  requirement: { command: ["aria2c", "--version"], debianPackage: "aria2" },
  host: "127.0.0.1",
  makesEmptyFiles: true,
  async seed(bed, job) {
    const { program, hook } = await start(bed, job);
    await program.until("aria2c has checked the data", hook.fired);
    await program.untilListening(job.endpoint.port);
    return { program, endpoint: job.endpoint };
  },
  async leech(bed, job) {
    const { program, hook } = await start(bed, job);
    return {
      program,
      endpoint: job.endpoint,
      finished: async () => void (await program.until("aria2c is complete", hook.fired)),
    };
  },
};

async function start(bed: Bed, job: SeedJob | LeechJob): Promise<{ program: Program; hook: Hook }> {
  const state = await bed.subfolder("aria2");
  const hook = await writeHook(state, "complete");
  const program = bed.start({
    name: "aria2c",
    folder: state,
    command: [
      "aria2c",
      "--no-conf",
      "--enable-dht=false",
      "--enable-dht6=false",
      "--bt-enable-lpd=false",
      "--enable-peer-exchange=false",
      "--disable-ipv6=true",
      `--interface=${job.endpoint.host}`,
      `--bt-external-ip=${job.endpoint.host}`,
      "--bt-require-crypto=false",
      "--bt-min-crypto-level=plain",
      "--check-integrity=true",
      "--seed-ratio=0",
      "--seed-time=100000",
      "--file-allocation=none",
      "--bt-max-open-files=500",
      "--bt-request-peer-speed-limit=1024M",
      "--summary-interval=1",
      "--console-log-level=notice",
      "--allow-overwrite=true",
      "--follow-torrent=mem",
      `--listen-port=${job.endpoint.port}`,
      `--dir=${job.folder}`,
      `--on-bt-download-complete=${hook.path}`,
      job.torrent.path,
    ],
  });
  return { program, hook };
}
