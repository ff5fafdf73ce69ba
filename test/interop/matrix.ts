/** The tests that every other program goes through: it seeds and Freshet leeches, then the other way round. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { interopTest } from "./bed.ts";
import type { Namespace } from "./namespace.ts";
import { assertSameTree, manyFiles, type Payload, writePayload } from "./payload.ts";
import { freshetDownload, freshetSeed } from "./peers/freshet.ts";
import type { PeerProgram } from "./peers/peer.ts";
import { untilSameTree } from "./same-tree.ts";
import { writeTorrent } from "./torrent.ts";

const SINGLE_LENGTH = (24 << 20) + 12_345;
const PIECE_LENGTH = 256 << 10;

const layouts = [
  { what: "a single file", write: (folder: string) => writePayload(folder, "single.bin", SINGLE_LENGTH) },
  { what: "2,000 files in nested folders", write: (folder: string) => writePayload(folder, "many-files", manyFiles()) },
] as const;

/** Declares the tests of one program. */
export function testBothWays(program: PeerProgram, namespace: Namespace): void {
  const options = { namespace, needs: [program.requirement] };
  for (const { what, write } of layouts) {
    interopTest(`Freshet downloads ${what} from ${program.name}`, options, async (bed) => {
      const payload = write(await bed.subfolder("data"));
      const tracker = await bed.tracker(program.host);
      const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers: [tracker.url] });
      const seeder = await program.seed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint(program.host) });
      const folder = await bed.subfolder("out");
      const endpoint = bed.endpoint(program.host);
      const freshet = await freshetDownload(bed, { torrents: [torrent], folder, endpoint, peers: [seeder.endpoint] });
      await freshet.finished();
      await assertSameTree(folder, payload.folder);
    });

    interopTest(`${program.name} downloads ${what} from Freshet`, options, async (bed) => {
      const payload = write(await bed.subfolder("data"));
      const tracker = await bed.tracker(program.host);
      const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers: [tracker.url] });
      const freshet = await freshetSeed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint(program.host) });
      tracker.peers.push(freshet.endpoint);
      const folder = await bed.subfolder("out");
      const leecher = await program.leech(bed, { torrent, folder, endpoint: bed.endpoint(program.host) });
      await leecher.finished();
      if (!program.makesEmptyFiles) addEmptyFiles(folder, payload);
      await untilSameTree(leecher.program, join(folder, payload.name), join(payload.folder, payload.name));
      await freshet.interrupt();
    });
  }
}

function addEmptyFiles(folder: string, payload: Payload): void {
  for (const file of payload.files) {
    if (file.length > 0) continue;
    mkdirSync(dirname(join(folder, file.path)), { recursive: true });
    writeFileSync(join(folder, file.path), "", { flag: "wx" });
  }
}
