import type { Clock } from "#/base/clock.ts";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time in ms. What is due runs in the order of time, and at one time in the order in which it was added. */
export class Timeline implements Clock {
  readonly #heap: Entry[] = [];
  #now = 0;
  #order = 0;

  now(): number {
    return this.#now;
  }

  at(time: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at: Math.max(time, this.#now), order: this.#order++, run };
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent] as Entry, entry)) break;
      heap[index] = heap[parent] as Entry;
      index = parent;
    }
    heap[index] = entry;
  }

  after(ms: number, run: () => void): void {
    this.at(this.#now + ms, run);
  }

  every(ms: number, run: () => void): void {
    this.after(ms, () => {
      run();
      this.every(ms, run);
    });
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /**
   * Lets time pass until `done` holds, at most `limitMs`.
   * @returns the time it took; undefined when `done` did not come to hold
   */
  runUntil(done: () => boolean, limitMs: number): number | undefined {
    const start = this.#now;
    const end = start + limitMs;
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.at > end) {
        this.#now = end;
        return undefined;
      }
      this.#now = next.at;
      this.#removeFirst();
      next.run();
    }
    return this.#now - start;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let index = 0;
    while (true) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (isBefore(last, heap[child] as Entry)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
