import { testBothWays } from "./matrix.ts";
import { enterNamespace } from "./namespace.ts";
import { rtorrent } from "./peers/rtorrent.ts";

testBothWays(rtorrent, await enterNamespace(import.meta.filename));
