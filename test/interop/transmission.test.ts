import { describe } from "node:test";
import { testBothWays } from "./matrix.ts";
import { enterNamespace } from "./namespace.ts";
import { transmission } from "./peers/transmission.ts";

const namespace = await enterNamespace(import.meta.filename);

// It looks at its peers every 10 s only, so its tests wait side by side.
describe("Transmission", { concurrency: 4 }, () => testBothWays(transmission, namespace));
