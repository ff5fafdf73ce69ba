import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { interopTest, type Requirement } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { manyFiles, type PlannedFile, writePayload } from "./payload.ts";
import { runFreshet } from "./peers/freshet.ts";
import { libtorrent } from "./peers/libtorrent.ts";
import { writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const mktorrent: Requirement = { command: ["mktorrent", "-h"], debianPackage: "mktorrent" };
const PIECE_LENGTH = 2 ** 18;
const URL = "http://127.0.0.1:1/announce";

const layouts: readonly { readonly what: string; readonly files: number | readonly PlannedFile[] }[] = [
  { what: "a single file", files: (3 << 20) + 1 },
  { what: "2,000 files in nested folders", files: manyFiles() },
];

for (const { what, files } of layouts) {
  interopTest(`freshet create and mktorrent give ${what} the same info-hash`, { namespace, needs: [mktorrent] }, async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload", files);
    const data = join(payload.folder, payload.name);
    const [ours, theirs] = [join(bed.folder, "ours.torrent"), join(bed.folder, "theirs.torrent")];
    await runFreshet(bed, ["create", data, "--private", "--piece-length", `${PIECE_LENGTH}`, "--tracker", URL, "-o", ours]);
    const command = ["mktorrent", "-p", "-l", `${Math.log2(PIECE_LENGTH)}`, "-a", URL, "-o", theirs, data] as const;
    const program = bed.start({ name: "mktorrent", folder: bed.folder, command });
    assert.equal(await program.ended, 0, program.tail());
    const [made, wanted] = await Promise.all([ours, theirs].map(async (path) => parseMetainfo(await readFile(path))));
    assert.deepEqual(made?.trackers, wanted?.trackers);
    assert.equal(made?.infoHashHex, wanted?.infoHashHex);
  });
}

interopTest("a torrent of freshet create is seeded by libtorrent", { namespace, needs: [libtorrent.requirement] }, async (bed) => {
  const payload = writePayload(await bed.subfolder("data"), "payload", manyFiles(300));
  const path = join(bed.folder, "created.torrent");
  await runFreshet(bed, ["create", join(payload.folder, payload.name), "-o", path]);
  const { infoHashHex } = parseMetainfo(await readFile(path));
  const torrent = { ...(await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH })), path, infoHash: infoHashHex };
  await libtorrent.seed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint() });
});
