import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bed } from "../bed.ts";
import type { Program } from "../program.ts";
import { type Hook, writeHook } from "./hook.ts";
import type { LeechJob, PeerProgram, SeedJob } from "./peer.ts";

/** rtorrent without its screen. */
export const rtorrent: PeerProgram = {
  name: "rtorrent",
  requirement: { command: ["rtorrent", "-h"], debianPackage: "rtorrent" },
  host: "127.0.0.1",
  makesEmptyFiles: true,
  async seed(bed, job) {
    const { program, hook } = await start(bed, job, "hash_done");
    await program.until("rtorrent has checked the data", hook.fired);
    await program.untilListening(job.endpoint.port);
    return { program, endpoint: job.endpoint };
  },
  async leech(bed, job) {
    const { program, hook } = await start(bed, job, "finished");
    return {
      program,
      endpoint: job.endpoint,
      finished: async () => void (await program.until("rtorrent is complete", hook.fired)),
    };
  },
};

async function start(
  bed: Bed,
  job: SeedJob | LeechJob,
  event: "hash_done" | "finished",
): Promise<{ program: Program; hook: Hook }> {
  const state = await bed.subfolder("rtorrent");
  const session = await bed.subfolder("rtorrent-session");
  const hook = await writeHook(state, event);
  const settings = [
    "system.daemon.set = true",
    `network.bind_address.set = ${job.endpoint.host}`,
    `network.port_range.set = ${job.endpoint.port}-${job.endpoint.port}`,
    "network.port_random.set = no",
    "network.port_open.set = yes",
    "dht.mode.set = disable",
    "protocol.pex.set = no",
    "trackers.use_udp.set = no",
    "protocol.encryption.set = none",
    "network.max_open_files.set = 500",
    `session.path.set = ${session}`,
    `directory.default.set = ${job.folder}`,
    `method.set_key = event.download.${event}, interop, "execute.nothrow=${hook.path}"`,
    `load.start = ${job.torrent.path}`,
  ];
  const file = join(state, "rtorrent.rc");
  await writeFile(file, `${settings.join("\n")}\n`);
  const program = bed.start({ name: "rtorrent", folder: state, command: ["rtorrent", "-n", "-o", `import=${file}`] });
  return { program, hook };
}
