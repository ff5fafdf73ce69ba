import { testBothWays } from "./matrix.ts";
import { enterNamespace } from "./namespace.ts";
import { qbittorrent } from "./peers/qbittorrent.ts";

testBothWays(qbittorrent, await enterNamespace(import.meta.filename));
