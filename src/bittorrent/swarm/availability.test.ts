import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "#/base/random.ts";
import { PieceOrder, type PiecePriority, piecePriority } from "./availability.ts";

const all = (): boolean => true;

function filled(count: number, seed = 1): PieceOrder {
  const order = new PieceOrder(count, seededRandom(seed));
  for (let piece = 0; piece < count; piece++) order.add(piece);
  return order;
}

describe("PieceOrder", () => {
  test("picks the rarest piece", () => {
    const order = filled(5);
    for (const piece of [0, 0, 0, 1, 1, 2, 3, 3, 4, 4]) order.increase(piece);
    assert.equal(order.pick(all), 2);
    order.decrease(0);
    order.decrease(0);
    order.decrease(0);
    assert.equal(order.pick(all), 0);
    assert.equal(
      order
        .pick((piece) => piece !== 0 && piece !== 2)
        ?.toString()
        .match(/[134]/)?.length,
      1,
    );
  });

  test("a higher priority comes before a rarer piece, and skipped pieces never", () => {
    const order = filled(3);
    order.increase(2);
    order.setPriority(2, piecePriority.high);
    order.setPriority(0, piecePriority.skip);
    assert.equal(order.pick(all), 2);
    order.delete(2);
    assert.equal(order.pick(all), 1);
    order.delete(1);
    assert.equal(order.pick(all), undefined);
    assert.equal(order.pickInSequence(all), undefined);
  });

  test("ties are spread by chance: over many orders each of ten pieces is first about as often", () => {
    const first = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 2000; seed++) {
      const piece = filled(10, seed).pick(all) as number;
      first[piece] = (first[piece] as number) + 1;
    }
    for (const count of first) assert.ok(count > 130 && count < 270, `${first}`);
  });

  test("in sequence: the first by number, higher priorities before", () => {
    const order = filled(6);
    order.increase(0);
    assert.equal(order.pickInSequence(all), 0);
    assert.equal(
      order.pickInSequence((piece) => piece > 2),
      3,
    );
    order.setPriority(4, piecePriority.highest);
    order.setPriority(2, piecePriority.high);
    assert.equal(order.pickInSequence(all), 4);
    order.delete(4);
    assert.equal(order.pickInSequence(all), 2);
  });

  test("adding twice, deleting what is not there and decreasing below zero change nothing", () => {
    const order = filled(3);
    order.add(1);
    assert.equal(order.size, 3);
    order.delete(1);
    order.delete(1);
    assert.equal(order.size, 2);
    order.decrease(1);
    assert.equal(order.availability(1), 0);
  });

  test("agrees with a naive twin after any sequence of changes", () => {
    const pieces = 12;
    const piece = fc.nat(pieces - 1);
    const change = fc.oneof(
      fc.record({ type: fc.constantFrom("add", "delete", "increase", "decrease" as const), piece }),
      fc.record({ type: fc.constant("priority" as const), piece, priority: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), fc.nat(), fc.nat(2 ** pieces - 1), (changes, seed, mask) => {
        const order = new PieceOrder(pieces, seededRandom(seed));
        const twin = Array.from({ length: pieces }, () => ({ isIn: false, availability: 0, priority: 2 }));
        for (const { type, piece: index, ...rest } of changes) {
          const row = twin[index] as (typeof twin)[number];
          if (type === "priority") {
            row.priority = (rest as { priority: number }).priority;
            order.setPriority(index, row.priority as PiecePriority);
          } else {
            if (type === "add") row.isIn = true;
            else if (type === "delete") row.isIn = false;
            else row.availability = Math.max(0, row.availability + (type === "increase" ? 1 : -1));
            order[type](index);
          }
        }
        const accepts = (index: number): boolean => ((mask >> index) & 1) === 1;
        const eligible = [...twin.keys()].filter((i) => twin[i]?.isIn && (twin[i]?.priority ?? 0) > 0 && accepts(i));
        const rank = (i: number): number => (twin[i]?.priority ?? 0) * 1000 - (twin[i]?.availability ?? 0);
        const best = Math.max(...eligible.map(rank));
        const picked = order.pick(accepts);
        if (eligible.length === 0) assert.equal(picked, undefined);
        else assert.ok(picked !== undefined && eligible.includes(picked) && rank(picked) === best);
        const top = Math.max(...eligible.map((i) => twin[i]?.priority ?? 0));
        assert.equal(
          order.pickInSequence(accepts),
          eligible.find((i) => twin[i]?.priority === top),
        );
        assert.equal(order.size, twin.filter(({ isIn }) => isIn).length);
        for (const [i, row] of twin.entries()) {
          assert.deepEqual([order.has(i), order.availability(i), order.priority(i)], [row.isIn, row.availability, row.priority]);
        }
      }),
    );
  });
});
