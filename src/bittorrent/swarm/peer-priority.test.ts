import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32c, peerPriority } from "./peer-priority.ts";

describe("peerPriority", () => {
  const vectors = [
    { name: "far apart: /16 of both (BEP 40)", a: "123.213.32.10", b: "98.76.54.32", priority: 0xec2d7224 },
    { name: "the same /24: whole addresses (BEP 40)", a: "123.213.32.10", b: "123.213.32.234", priority: 0x99568189 },
  ];
  for (const { name, a, b, priority } of vectors) {
    test(name, () => {
      assert.equal(peerPriority({ host: a, port: 1 }, { host: b, port: 2 }), priority);
      assert.equal(peerPriority({ host: b, port: 2 }, { host: a, port: 1 }), priority, "the same on both sides");
    });
  }

  test("far apart: what is below the mask counts only by the bits of 0x55", () => {
    const of = (host: string): number => peerPriority({ host, port: 1 }, { host: "98.76.54.32", port: 1 });
    assert.equal(of("123.213.32.10"), of(`123.213.${32 | 0xaa}.${10 | 0xaa}`));
    assert.notEqual(of("123.213.32.10"), of("123.212.32.10"));
  });

  test("the same host: the ports", () => {
    const [a, b, c] = [1000, 2000, 3000].map((port) => ({ host: "10.0.0.1", port })) as [Port, Port, Port];
    assert.equal(peerPriority(a, b), peerPriority(b, a));
    assert.notEqual(peerPriority(a, b), peerPriority(a, c));
  });

  test("IPv6 has a rank too; different families have none", () => {
    const a = { host: "2001:db8::1", port: 1 };
    const b = { host: "2001:db8:1::1", port: 1 };
    assert.notEqual(peerPriority(a, b), 0);
    assert.equal(peerPriority(a, b), peerPriority(b, a));
    assert.equal(peerPriority(a, { host: "10.0.0.1", port: 1 }), 0);
    assert.equal(peerPriority({ host: "name.example", port: 1 }, a), 0);
  });
});

interface Port {
  readonly host: string;
  readonly port: number;
}

test("crc32c has the check value of RFC 3720, B.4", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
});
