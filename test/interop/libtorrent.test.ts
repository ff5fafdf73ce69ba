import { testBothWays } from "./matrix.ts";
import { enterNamespace } from "./namespace.ts";
import { libtorrent } from "./peers/libtorrent.ts";

testBothWays(libtorrent, await enterNamespace(import.meta.filename));
