import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Bitfield } from "#/base/bitfield.ts";
import { seededRandom } from "#/base/random.ts";
import { ResumeSaver } from "./resume-saver.ts";
import { piecesToCheck, type ResumeRecord, ResumeStore } from "./resume-store.ts";
import { contentOf, crashFiles, type FileRow, layoutOf, openStorage, temporaryFolder } from "./storage-fixture.ts";
import type { FileStamp } from "./torrent-storage.ts";

const infoHashHex = "ab".repeat(20);

function recordOf(pieceCount: number, pieces: readonly number[], files: readonly (FileStamp | undefined)[] = []): ResumeRecord {
  const have = new Bitfield(pieceCount);
  for (const piece of pieces) have.add(piece);
  const stamps = { files, parts: undefined, skipped: [] };
  return { infoHashHex, have, stamps, folder: "/somewhere/ü", uploaded: 5, downloaded: 2 ** 40, addedAt: 1_700_000_000_000 };
}

describe("resume store", () => {
  test("gives back what was saved last, and nothing after remove", async (t) => {
    const store = new ResumeStore(join(await temporaryFolder(t), "deep", "state"));
    assert.deepEqual(await store.load(infoHashHex), { record: undefined, reason: "absent" });
    const stamp = { size: 2 ** 40, mtimeNs: 1_700_000_000_123_456_789n };
    const record = { ...recordOf(19, [0, 3, 18], [stamp, undefined]), completedAt: 1_700_000_000_001 };
    await Promise.all([store.save(recordOf(19, [])), store.save(recordOf(19, [1])), store.save(record)]);
    assert.deepEqual(await store.load(infoHashHex), { record });
    assert.deepEqual(await readdir(store.folder), [`${infoHashHex}.json`]);
    await store.remove(infoHashHex);
    await store.remove(infoHashHex);
    assert.deepEqual(await store.load(infoHashHex), { record: undefined, reason: "absent" });
  });

  test("a record cut or changed anywhere is damaged, one of another torrent foreign; neither throws", async (t) => {
    const store = new ResumeStore(await temporaryFolder(t));
    await store.save(recordOf(9, [2]));
    const path = join(store.folder, `${infoHashHex}.json`);
    const whole = await readFile(path);
    for (let length = 0; length < whole.length - 1; length += 7) {
      await writeFile(path, whole.subarray(0, length));
      assert.deepEqual(await store.load(infoHashHex), { record: undefined, reason: "damaged" }, `${length} bytes`);
    }
    for (let at = 0; at < whole.length - 1; at += 7) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 4;
      await writeFile(path, changed);
      assert.deepEqual(await store.load(infoHashHex), { record: undefined, reason: "damaged" }, `byte ${at}`);
    }
    await writeFile(join(store.folder, `${"cd".repeat(20)}.json`), whole);
    assert.deepEqual(await store.load("cd".repeat(20)), { record: undefined, reason: "foreign" });
  });

  test("an info hash is not taken for a path", async () => {
    await assert.rejects(new ResumeStore("state").load("../../etc/passwd"), RangeError);
  });

  test("a folder that cannot be made is an error with a code", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "file"), "");
    await assert.rejects(new ResumeStore(join(folder, "file", "state")).save(recordOf(1, [])), { code: "STORAGE_NOT_A_FOLDER" });
  });
});

describe("what a record is worth", () => {
  // Pieces of 10: a 0-1, b 1-3, c 3-4.
  const files: FileRow[] = [
    ["a", 15],
    ["b", 20],
    ["empty", 0],
    ["c", 10],
  ];
  const layout = layoutOf(files, 10, contentOf(files));
  const stamp = { size: 15, mtimeNs: 7n };
  const stamps = [stamp, stamp, stamp, stamp];
  const record = recordOf(5, [0, 1, 3, 4], stamps);
  const now = (changes: Record<number, FileStamp | undefined>, skipped: readonly number[] = []) => ({
    files: stamps.map((own, file) => (file in changes ? changes[file] : own)),
    parts: undefined,
    skipped,
  });
  const worth = (...args: Parameters<typeof piecesToCheck>) => {
    const { trusted, check } = piecesToCheck(...args);
    return { trusted: [...trusted], check };
  };

  test("nothing changed: all is trusted and nothing checked", () => {
    assert.deepEqual(worth(record, now({}), layout), { trusted: [0, 1, 3, 4], check: [] });
  });

  test("a size or time that differs puts each piece of that file to the check, claimed or not", () => {
    assert.deepEqual(worth(record, now({ 1: { size: 15, mtimeNs: 8n } }), layout), { trusted: [0, 4], check: [1, 2, 3] });
    assert.deepEqual(worth(record, now({ 0: { size: 16, mtimeNs: 7n } }), layout), { trusted: [3, 4], check: [0, 1] });
  });

  test("a missing file makes its pieces neither trusted nor checked, also when it was missing before", () => {
    assert.deepEqual(worth(record, now({ 1: undefined }), layout), { trusted: [0, 4], check: [] });
    const claim = recordOf(5, [0, 1, 3, 4], [stamp, undefined, stamp, stamp]);
    assert.deepEqual(worth(claim, now({ 1: undefined }), layout), { trusted: [0, 4], check: [] });
  });

  test("a file skipped or wanted since puts its shared pieces to the check", () => {
    const parts = { size: 35, mtimeNs: 3n };
    assert.deepEqual(worth(record, { ...now({}, [1]), parts }, layout), { trusted: [0, 4], check: [1, 3] });
    const skipping = { ...record, stamps: { files: stamps, parts, skipped: [1] } };
    assert.deepEqual(worth(skipping, { ...now({}, [1]), parts }, layout), { trusted: [0, 1, 3, 4], check: [] });
    assert.deepEqual(worth(skipping, { ...now({}, [1]), parts: { size: 35, mtimeNs: 4n } }, layout), {
      trusted: [0, 4],
      check: [1, 3],
    });
    assert.deepEqual(worth(skipping, now({}), layout), { trusted: [0, 4], check: [1, 3] });
  });

  test("a record of another shape is worth a check of everything", () => {
    assert.deepEqual(worth(recordOf(4, [0], stamps), now({}), layout), { trusted: [], check: [0, 1, 2, 3, 4] });
    assert.deepEqual(worth(recordOf(5, [0], [stamp]), now({}), layout), { trusted: [], check: [0, 1, 2, 3, 4] });
  });

  test("stamps of real files notice a touched file", async (t) => {
    const fixture = await openStorage(t, {
      files: [
        ["a", 70_000],
        ["b", 70_000],
      ],
      pieceLength: 32_768,
    });
    await fixture.writeAll();
    const claim = { ...recordOf(5, [0, 1, 2, 3, 4]), stamps: await fixture.storage.fileStamps() };
    assert.equal(piecesToCheck(claim, await fixture.storage.fileStamps(), fixture.layout).trusted.count, 5);
    await utimes(fixture.pathOf(1), 1, 1);
    const { trusted, check } = piecesToCheck(claim, await fixture.storage.fileStamps(), fixture.layout);
    assert.deepEqual(
      [[...trusted], check],
      [
        [0, 1],
        [2, 3, 4],
      ],
    );
  });
});

describe("resume saver", () => {
  function recorder() {
    const steps: string[] = [];
    const errors: unknown[] = [];
    const have = new Bitfield(8);
    const gates: PromiseWithResolvers<void>[] = [];
    let failing: Error | undefined;
    const saver = new ResumeSaver({
      storage: {
        sync: () => {
          steps.push("sync");
          const gate = Promise.withResolvers<void>();
          gates.push(gate);
          return gate.promise;
        },
        fileStamps: async () => {
          steps.push("stamps");
          return { files: [], parts: undefined, skipped: [] };
        },
      },
      store: {
        save: async (record) => {
          if (failing !== undefined) throw failing;
          steps.push(`save ${[...record.have]}`);
        },
      },
      snapshot: () => {
        steps.push("snapshot");
        const { stamps: _stamps, ...rest } = recordOf(8, []);
        return { ...rest, have };
      },
      onError: (error) => errors.push(error),
    });
    return { saver, steps, errors, have, gates, fail: (error: Error | undefined) => (failing = error) };
  }

  test("copies the claim, makes it durable, looks at the files, then saves; what comes meanwhile waits for the next", async () => {
    const { saver, steps, have, gates } = recorder();
    have.add(1);
    saver.changed();
    saver.tick(10_000);
    have.add(2);
    saver.changed();
    saver.tick(20_000);
    gates[0]?.resolve();
    const flushed = saver.flush();
    await new Promise(setImmediate);
    gates[1]?.resolve();
    await flushed;
    assert.deepEqual(steps, ["snapshot", "sync", "stamps", "save 1", "snapshot", "sync", "stamps", "save 1,2"]);
  });

  test("saves at most every two seconds, and only when something changed", async () => {
    const { saver, steps, gates } = recorder();
    const tick = async (now: number): Promise<number> => {
      saver.tick(now);
      gates.at(-1)?.resolve();
      await new Promise(setImmediate);
      return steps.filter((step) => step.startsWith("save")).length;
    };
    assert.equal(await tick(0), 0);
    saver.changed();
    assert.equal(await tick(1), 1);
    saver.changed();
    assert.equal(await tick(2_000), 1);
    assert.equal(await tick(2_001), 2);
    assert.equal(await tick(9_000), 2);
    await saver.flush();
    assert.equal(steps.filter((step) => step.startsWith("save")).length, 2);
  });

  test("a save that fails is told and tried again", async () => {
    const { saver, steps, errors, gates, fail } = recorder();
    const error = new Error("no room");
    fail(error);
    saver.changed();
    const first = saver.flush();
    await new Promise(setImmediate);
    gates[0]?.resolve();
    await first;
    assert.deepEqual(errors, [error]);
    fail(undefined);
    const second = saver.flush();
    await new Promise(setImmediate);
    gates[1]?.resolve();
    await second;
    assert.equal(steps.at(-1), "save ");
  });
});

test("a process killed at any instant leaves no record that claims a piece that is not on disk", { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const content = contentOf(crashFiles);
  const layout = layoutOf(crashFiles, 32_768, content);
  const store = new ResumeStore(join(folder, "state"));
  const random = seededRandom(11);
  let claimed = 0;
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve("./storage-child.ts")), "crash", folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    // It has begun when it tells what it found.
    const [told] = (await once(child.stdout, "data")) as [Buffer];
    assert.match(told.toString(), /^have \d+/);
    assert.ok(Number(told.toString().slice(5)) >= claimed, "what was claimed before is found again");
    const kill = setTimeout(() => child.kill("SIGKILL"), 5 + random.below(150));
    await exited;
    clearTimeout(kill);
    const { record, reason } = await store.load(infoHashHex);
    if (record === undefined) {
      assert.equal(reason, "absent");
      continue;
    }
    const onDisk = Buffer.concat(
      await Promise.all(
        layout.files.map((file) => readFile(join(folder, "out", ...file.safePath)).catch(() => Buffer.alloc(file.length))),
      ),
    );
    for (const piece of record.have) {
      const [start, end] = [piece * 32_768, Math.min((piece + 1) * 32_768, content.length)];
      assert.equal(Buffer.compare(onDisk.subarray(start, end), content.subarray(start, end)), 0, `piece ${piece} is claimed`);
    }
    claimed = record.have.count;
  }
  assert.ok(claimed > 0, "something was claimed in the end");
});
