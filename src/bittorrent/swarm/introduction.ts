import type { Bitfield } from "#/base/bitfield.ts";
import { ipFamily, parseIp } from "#/base/ip.ts";
import { allowedFastSet, EXTENSION_HANDSHAKE_ID, encodeExtended, encodeExtensionHandshake } from "../wire/index.ts";
import { ownExtensionIds } from "./messages.ts";
import type { Peer } from "./peer.ts";
import type { PeerConnection } from "./peer-connection.ts";
import { REQUEST_LIMIT } from "./uploader.ts";

/** Pieces that a peer may have although choked; BEP 6 suggests 10. */
const ALLOWED_FAST_COUNT = 10;

export interface Introduction {
  readonly torrent: { readonly infoHash: Uint8Array; readonly pieceCount: number };
  readonly have: Bitfield;
  /** Sent as `v` (BEP 10). */
  readonly clientVersion: string;
  /** Where we can be dialled; 0 when we cannot. */
  readonly listenPort: number;
  /** Whether we want nothing any more. */
  readonly isComplete: boolean;
}

/** Sends what comes right behind the handshake: what we have, what we can do, and what may be asked for although choked. */
export function introduce(connection: PeerConnection, about: Introduction): void {
  const { peer } = connection;
  sendPossession(connection, about.have);
  if (peer.extended) {
    const payload = encodeExtensionHandshake({
      messages: new Map(Object.entries(ownExtensionIds)),
      version: about.clientVersion,
      requestQueue: REQUEST_LIMIT,
      ...(about.listenPort > 0 ? { port: about.listenPort } : {}),
      ...(ipFamily(peer.host) === undefined ? {} : { yourIp: parseIp(peer.host) }),
      ...(about.isComplete ? { uploadOnly: true } : {}),
    });
    connection.sendBytes(encodeExtended(EXTENSION_HANDSHAKE_ID, payload));
  }
  if (peer.fast && ipFamily(peer.host) === 4 && about.have.count > 0) allowFast(connection, about);
}

/** Tells a peer whether we want nothing any more (BEP 21). */
export function tellUploadOnly(peer: Peer, uploadOnly: boolean): void {
  if (!peer.extended) return;
  const payload = encodeExtensionHandshake({ messages: new Map(Object.entries(ownExtensionIds)), uploadOnly });
  peer.connections[0]?.sendBytes(encodeExtended(EXTENSION_HANDSHAKE_ID, payload));
}

function sendPossession(connection: PeerConnection, have: Bitfield): void {
  if (connection.peer.fast && have.isFull) connection.send({ type: "haveAll" });
  else if (connection.peer.fast && have.count === 0) connection.send({ type: "haveNone" });
  else if (have.count > 0) connection.send({ type: "bitfield", bits: have.bytes });
}

function allowFast(connection: PeerConnection, { torrent, have }: Introduction): void {
  const { peer } = connection;
  const { infoHash, pieceCount } = torrent;
  for (const piece of allowedFastSet({ infoHash, ip: parseIp(peer.host), pieceCount, count: ALLOWED_FAST_COUNT })) {
    if (!have.has(piece)) continue;
    peer.allowedFastToThem.add(piece);
    connection.send({ type: "allowedFast", piece });
  }
}
