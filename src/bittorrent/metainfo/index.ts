/**
 * Torrent files of version 1 (BEP 3, with BEP 5, 12, 17, 19, 27, 47): reading, checking and writing them.
 *
 * `parseMetainfo` gives each file a path that is safe on Linux, macOS and Windows and never leaves the output folder.
 * The info-hash is that of the info dictionary as it stands. Nothing here touches a disk.
 */
export { type BuildFile, type BuildInput, buildMetainfo, choosePieceLength } from "./build.ts";
export { MetainfoError, metainfoErrorCodes } from "./errors.ts";
export { HASH_LENGTH, Metainfo, type MetainfoIssue, type OuterFields, type TorrentFile, type TorrentNode } from "./metainfo.ts";
export { MAX_PIECE_LENGTH, type ParseInfoOptions, type ParseOptions, parseInfo, parseMetainfo } from "./parse.ts";
export { type NameRules, safeName } from "./safe-names.ts";
