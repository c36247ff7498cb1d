/** Those roles of the page that need no browser. */
import { expect, test } from "vitest";
import { gainsOf } from "../src/page/player.ts";
import { wav } from "../src/page/wav.ts";

test("before and after are heard equally loud, the louder one turned down", () => {
  expect(gainsOf(true, 1, [-20, -26])).toEqual([0, 1]);
  const [before] = gainsOf(false, 1, [-20, -26]);
  expect(20 * Math.log10(before)).toBeCloseTo(-6);
  const [, after] = gainsOf(true, 1, [-26, -20]);
  expect(20 * Math.log10(after)).toBeCloseTo(-6);
  expect(gainsOf(true, 0.25, [-20, -20])).toEqual([0.75, 0.25]);
  expect(gainsOf(true, 1, [-Infinity, -Infinity])).toEqual([0, 1]);
});

test("what would clip is made softer as a whole", async () => {
  const source = (wave: Float32Array) => ({
    channels: 2,
    length: wave.length,
    read: (channel: number, begin: number, end: number) => wave.slice(begin, end).map((value) => (channel ? -value : value)),
  });
  const given = Float32Array.of(0, 0.5, -1), restored = Float32Array.of(0, 2, 0.25);
  const { file, gain } = await wav(source(given), source(restored), 1);
  expect(gain).toBe(0.5);
  const view = new DataView(await file.arrayBuffer());
  const sample = (i: number) => (view.getUint8(44 + 3 * i) | (view.getUint8(45 + 3 * i) << 8) | (view.getInt8(46 + 3 * i) << 16)) / (2 ** 23 - 1);
  [0, 0, 1, -1, 0.125, -0.125].forEach((wanted, i) => expect(sample(i)).toBeCloseTo(wanted, 6));
  expect(view.byteLength).toBe(44 + 18);
});
