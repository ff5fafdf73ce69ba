import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { formatEndpoint } from "#/base/ip.ts";
import { parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { interopTest } from "./bed.ts";
import { Liar } from "./liar.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, writePayload } from "./payload.ts";
import { freshetDownload } from "./peers/freshet.ts";
import { libtorrent, openLibtorrent } from "./peers/libtorrent.ts";
import { writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const PIECE_LENGTH = 2 << 20;
const BLOCKS_OF_A_PIECE = PIECE_LENGTH / (16 << 10);

interopTest(
  "a liar is banned, and the honest peer that shared a piece with it stays",
  { namespace, needs: [libtorrent.requirement] },
  async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload.bin", PIECE_LENGTH);
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH });
    const uploadLimit = 1 << 20; // so slow that both work at the only piece there is
    const honest = await openLibtorrent(bed, bed.endpoint(), [{ torrent, folder: payload.folder, uploadLimit }]);
    await honest.complete(torrent);
    const liar = bed.use(await Liar.open(bed.endpoint(), parseMetainfo(await readFile(torrent.path))));
    const folder = await bed.subfolder("out");
    const peers = [liar.endpoint, honest.endpoint];
    const freshet = await freshetDownload(bed, { torrents: [torrent], folder, endpoint: bed.endpoint(), peers }, [
      "--keep-seeding",
    ]);
    await freshet.until("completed");
    await assertSameTree(folder, payload.folder);

    await freshet.until("peerClosed", { address: formatEndpoint(honest.endpoint) });

    const events = freshet.events();
    const told = (event: string): unknown[] =>
      events.filter((said) => said.event === event).map(({ address, code }) => [address, code]);
    const failures = told("pieceFailed").length;
    const lies = liar.blocksSent.get(0) ?? 0;
    assert.ok(
      failures > 0 && lies > 0 && lies < failures * BLOCKS_OF_A_PIECE,
      `${lies} lies in ${failures} copies: one was shared`,
    );
    const liarAddress = formatEndpoint(liar.endpoint);
    assert.deepEqual(new Set(told("peerBanned").flat()), new Set([liarAddress, undefined]));
    const closed = [liarAddress, "PEER_BANNED"];
    const whenDone = [formatEndpoint(honest.endpoint), "PEER_USELESS"]; // a seeder, once there is nothing left to ask it for
    assert.deepEqual(told("peerClosed"), [closed, whenDone], "the honest peer was not let go before the end");
    assert.equal(liar.connections, 1, "nobody dials a banned peer");
  },
);
