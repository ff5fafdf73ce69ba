import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { ResumeStore } from "#/bittorrent/storage/index.ts";
import { openClient, openSeeder, Sample, temporaryFolder } from "./bed.ts";

const ROUNDS = 3;
/** Downloads until it is killed and prints a line for each piece. Its clock is five times as fast, so that it saves every 0.4 s. */
const program = `
  import { Client } from "#/client/index.ts";
  const [output, stateFolder, peer, data] = process.argv.slice(1);
  const clock = { now: () => 5 * performance.now() };
  const client = await Client.open({ hosts: [], diskThreads: 2, output, stateFolder, clock });
  const torrent = await client.add(Buffer.from(data, "base64"), { peers: [peer] });
  torrent.on("pieceVerified", ({ piece }) => console.log(piece));
  await torrent.whenComplete();`;

describe("a download that is killed", { timeout: 30_000 }, () => {
  test("never claims a piece that is not on disk, and completes when it is started again", async (t) => {
    const sample = new Sample({
      name: "killed",
      files: [
        ["a", 2_000_000],
        ["b", 1],
        ["sub/c", 3_999_999],
      ],
    });
    const seeder = await openSeeder(t, sample, { upRate: 4_000_000 });
    const place = { output: await temporaryFolder(t), stateFolder: await temporaryFolder(t) };
    const store = new ResumeStore(join(place.stateFolder, "resume"));
    const { infoHashHex } = sample.metainfo;
    const data = Buffer.from(sample.bytes).toString("base64");
    let claimed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const args = ["--input-type=module", "--eval", program, place.output, place.stateFolder, seeder.address, data];
      const child = spawn(process.execPath, args, { cwd: new URL("../..", import.meta.url), stdio: ["ignore", "pipe", "inherit"] });
      const exited = once(child, "exit");
      t.after(() => child.kill("SIGKILL"));
      let left = randomInt(20, 50);
      for await (const _ of createInterface({ input: child.stdout })) {
        // The last one is not killed before something was saved, however slow the disk is.
        if (--left <= 0 && (round < ROUNDS - 1 || (await store.load(infoHashHex)).record !== undefined)) break;
      }
      child.kill("SIGKILL");
      assert.deepEqual(await exited, [null, "SIGKILL"]);
      const { record } = await store.load(infoHashHex);
      await sample.assertPieces(place.output, record?.have ?? []);
      claimed = record?.have.count ?? 0;
    }
    assert.ok(claimed > 0, "nothing was ever saved");
    seeder.client.setLimits({ upRate: Number.POSITIVE_INFINITY });
    const client = await openClient(t, place);
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], paused: true });
    await torrent.whenChecked();
    assert.ok(torrent.have.count >= claimed);
    await sample.assertPieces(place.output, torrent.have);
    await torrent.resume();
    await torrent.whenComplete();
    assert.equal(torrent.stats().counters.hashFailures, 0);
    await sample.assertIn(place.output);
  });
});
