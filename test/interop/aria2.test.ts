import { testBothWays } from "./matrix.ts";
import { enterNamespace } from "./namespace.ts";
import { aria2 } from "./peers/aria2.ts";

testBothWays(aria2, await enterNamespace(import.meta.filename));
