/** Writes the pages that are printed from tables in the code: `npm run docs`. Tests compare each page with its table. */
import { writeFileSync } from "node:fs";
import { commandLineReference } from "../src/cli/reference.ts";
import { errorsPage } from "./errors-page.ts";

const docs = new URL("../docs/", import.meta.url);
writeFileSync(new URL("errors.md", docs), await errorsPage());
writeFileSync(new URL("cli.md", docs), await commandLineReference());
