/** Writes the pages that are printed from tables in the code: `npm run docs`. Tests compare each page with its table. */
import { writeFileSync } from "node:fs";
import { commandLineReference } from "#/cli/reference.ts";
import { errorsPage } from "./errors-page.ts";

writeFileSync(new URL("../docs/errors.md", import.meta.url), await errorsPage());
writeFileSync(new URL("../docs/cli.md", import.meta.url), await commandLineReference());
