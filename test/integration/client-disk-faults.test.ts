import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { Torrent } from "#/client/index.ts";
import { cleanUp, openClient, openSeeder, Sample, temporaryFolder } from "./bed.ts";

const timeout = 20_000;
const MEBIBYTE = 1024 * 1024;

/** The code with which a torrent stops. */
async function stopCode(torrent: Torrent): Promise<string> {
  if (torrent.state === "stopped") return torrent.stats().stoppedBy ?? "none";
  const [{ code }] = (await once(torrent, "stopped")) as [{ readonly code: string }];
  assert.equal(torrent.state, "stopped");
  assert.equal(torrent.stats().stoppedBy, code);
  return code;
}

/** A folder that is a file system of its own, in memory; undefined, with the test skipped, where mounting is not permitted. */
async function mountMemory(
  t: TestContext,
  sizeBytes: number,
): Promise<{ readonly folder: string; remount(options: string): void } | undefined> {
  const folder = await temporaryFolder(t);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", folder]);
  if (mounted.status !== 0) {
    t.skip(`a file system cannot be mounted: ${mounted.error?.message ?? mounted.stderr.toString().trim()}`);
    return undefined;
  }
  cleanUp(t, async () => {
    spawnSync("umount", ["-l", folder]);
  });
  const remount = (options: string): void => {
    assert.equal(spawnSync("mount", ["-o", `remount,${options}`, folder]).status, 0);
  };
  return { folder, remount };
}

/** A second torrent of the same client, to show that it is not concerned. */
const other = new Sample({ name: "other", seed: 7 });

describe("a fault of the disk stops the torrent, and nothing else", { timeout }, () => {
  test("a download folder below a file", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample);
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "file"), "in the way");
    const client = await openClient(t, { output: folder });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], output: join(folder, "file", "sub") });
    const waiting = assert.rejects(torrent.whenComplete(), { code: "STORAGE_NOT_A_FOLDER" });
    assert.equal(await stopCode(torrent), "STORAGE_NOT_A_FOLDER");
    await waiting;
    await unlink(join(folder, "file"));
    await torrent.resume();
    await torrent.whenComplete();
    await sample.assertIn(join(folder, "file", "sub"));
  });

  test("a read-only file system", async (t) => {
    const disk = await mountMemory(t, MEBIBYTE);
    if (disk === undefined) return;
    disk.remount("ro");
    const sample = new Sample();
    const seeder = await openSeeder(t, sample);
    await other.writeTo(seeder.folder);
    await (await seeder.client.add(other.bytes)).whenComplete();
    const client = await openClient(t, { output: disk.folder });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    assert.equal(await stopCode(torrent), "STORAGE_READ_ONLY");
    const output = await temporaryFolder(t);
    await (await client.add(other.bytes, { peers: [seeder.address], output })).whenComplete();
    await other.assertIn(output);
    disk.remount("rw");
    await torrent.resume();
    await torrent.whenComplete();
    await sample.assertIn(disk.folder);
  });

  test("a full disk: what was verified stays, and it goes on when there is room", async (t) => {
    const disk = await mountMemory(t, MEBIBYTE);
    if (disk === undefined) return;
    const sample = new Sample({ length: 3 * MEBIBYTE });
    const seeder = await openSeeder(t, sample);
    await other.writeTo(seeder.folder);
    await (await seeder.client.add(other.bytes)).whenComplete();
    const client = await openClient(t, { output: disk.folder });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    assert.equal(await stopCode(torrent), "STORAGE_DISK_FULL");
    const had = torrent.have;
    assert.ok(had.count > 0 && !had.isFull, `${had.count} pieces`);
    await sample.assertPieces(disk.folder, had);
    const output = await temporaryFolder(t);
    await (await client.add(other.bytes, { peers: [seeder.address], output })).whenComplete();
    await other.assertIn(output);
    disk.remount(`size=${8 * MEBIBYTE}`);
    await torrent.resume();
    for (const piece of had) assert.ok(torrent.have.has(piece), `piece ${piece}`);
    await torrent.whenComplete();
    await sample.assertIn(disk.folder);
  });

  for (const [name, damage, code] of [
    ["deleted", (path: string) => unlink(path), "STORAGE_FILE_MISSING"],
    ["cut off", (path: string) => truncate(path, 1000), "STORAGE_FILE_TRUNCATED"],
  ] as const) {
    test(`a file that was ${name} under a seeder`, async (t) => {
      const sample = new Sample();
      const seeder = await openSeeder(t, sample);
      await other.writeTo(seeder.folder);
      await (await seeder.client.add(other.bytes)).whenComplete();
      await damage(sample.pathOf(seeder.folder, 0));
      const client = await openClient(t, { output: await temporaryFolder(t) });
      const stopped = stopCode(seeder.torrent);
      const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
      const left = once(torrent, "peerClosed");
      assert.equal(await stopped, code);
      await left;
      assert.equal(torrent.state, "downloading");
      const output = await temporaryFolder(t);
      await (await client.add(other.bytes, { peers: [seeder.address], output })).whenComplete();
      await other.assertIn(output);
      // It looks at its files again, and goes on with what is left.
      await seeder.torrent.resume();
      assert.equal(seeder.torrent.state, "downloading");
      await sample.assertPieces(seeder.folder, seeder.torrent.have);
    });
  }
});
