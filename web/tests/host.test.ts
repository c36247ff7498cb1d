/** The host against what Python wrote: `pytest tests/test_web.py` makes the vectors and runs this. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Fourier } from "../src/host/fourier.ts";
import { check, snrDb } from "../src/host/golden.ts";
import type { Runner } from "../src/host/host.ts";
import { Transforms } from "../src/host/frontend.ts";
import { type Load, parseManifest, verified } from "../src/host/manifest.ts";
import { goldenHash, normals } from "../src/host/noise.ts";
import { loudness } from "../src/host/restorer.ts";
import { open } from "../src/runtime/ort.ts";

const folder = process.env.HIRESLDM_VECTORS ?? "";
const vectors = JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8"));
const text = readFileSync(join(vectors.bundle, "bundle.json"), "utf8");
const load: Load = async (file) => verified(file, bytes(join(vectors.bundle, file.path)));
/** The manifest with the artifacts of one precision alone. */
const of = async (precision: string) => {
  const manifest = await parseManifest(text);
  return { ...manifest, artifacts: manifest.artifacts.filter((one) => one.precision === precision) };
};
const CLIPS = Object.keys(vectors.loudness_lufs);

test("noise is equal to the bit, drawn in uneven pieces", async () => {
  for (const [seed, digest] of Object.entries(vectors.noise)) {
    const hash = createHash("sha256");
    for (let first = 0; first < 20_000; first += 999) {
      hash.update(normals(BigInt(seed), 3, first, Math.min(999, 20_000 - first), 50));
    }
    expect(hash.digest("hex")).toBe(digest);
  }
  expect(await goldenHash()).toBe(JSON.parse(text).noise_sha256);
  expect(() => normals(-1, 0, 0, 1, 1)).toThrow("whole numbers from 0 to 2^64 - 1");
});

test.each([1, 2, 7, 30, 75, 128, 1225, 4801])("a transform of %i values is the sum it stands for", (length) => {
  const re = Float64Array.from({ length }, (_, i) => Math.sin(i * i + 1));
  const im = Float64Array.from({ length }, (_, i) => Math.cos(3 * i));
  const wanted = [0, 1, length >> 1].map((k) => {
    const turned = Array.from(re, (r, i): [number, number] => {
      const angle = (-2 * Math.PI * ((i * k) % length)) / length;
      return [r * Math.cos(angle) - im[i]! * Math.sin(angle), r * Math.sin(angle) + im[i]! * Math.cos(angle)];
    });
    return turned.reduce(([a, b], [c, d]) => [a + c, b + d]);
  });
  new Fourier(length).transform(re, im);
  [0, 1, length >> 1].forEach((k, i) => {
    if (k >= length) return;
    expect(re[k]).toBeCloseTo(wanted[i]![0]!, 8);
    expect(im[k]).toBeCloseTo(wanted[i]![1]!, 8);
  });
});

describe.each(CLIPS)("%s", (name) => {
  const wave = floats(name, "wave");
  const read = reader(wave);

  test("front end and back, and loudness", async () => {
    const manifest = await parseManifest(text);
    const transforms = new Transforms(manifest.host.front);
    const whole = await read(0, Math.ceil(wave.length / 960) * 960);
    const spectrum = transforms.stft(whole);
    const [wantedSpectrum, wantedMel] = [floats(name, "spectrum"), floats(name, "log_mel")];
    expect(snrDb(wantedSpectrum, spectrum.data.subarray(0, wantedSpectrum.length))).toBeGreaterThan(100);
    expect(snrDb(wantedMel, transforms.logMel(spectrum).data.subarray(0, wantedMel.length))).toBeGreaterThan(100);
    expect(snrDb(whole, transforms.istft(spectrum))).toBeGreaterThan(100);
    expect(await loudness(wave.length, read, 48_000)).toBeCloseTo(vectors.loudness_lufs[name], 5);
  });

  test("the whole chain", { timeout: 120_000 }, async () => {
    const restorer = await open(await of("fp32"), load, 1);
    const blocks: number[] = [];
    const lufs = await loudness(wave.length, read, 48_000);
    for await (const block of restorer.channel(wave.length, read, lufs, { seed: 7 })) for (const value of block) blocks.push(value);
    expect(blocks.length).toBe(wave.length);
    const far = snrDb(floats(name, "restored"), blocks);
    console.log(`${name}: ${far.toFixed(1)} dB`);
    expect(far).toBeGreaterThan(60);
  });
});

test("golden vectors pass, and a component that is slightly wrong does not", { timeout: 60_000 }, async () => {
  const manifest = await of("fp32");
  const { host, run } = await open(manifest, load, 1);
  const golden = await load(manifest.golden!);
  const right = await check(golden, host, run, "fp32");
  console.log(right.map(({ name, snrDb }) => `${name} ${snrDb.toFixed(1)} dB`).join(", "));
  expect(right.every(({ snrDb, floorDb }) => snrDb > floorDb)).toBe(true);
  const wrong: Runner = async (inputs) => {
    const { clean } = await run.denoiser!(inputs);
    return { clean: { ...clean!, data: clean!.data.map((value) => 1.001 * value) } };
  };
  const found = await check(golden, host, { ...run, denoiser: wrong }, "fp32");
  expect(found.filter(({ snrDb, floorDb }) => snrDb < floorDb).map(({ name }) => name)).toEqual(["denoiser", "decoder"]);
});

test("golden vectors pass in the precision that the page takes", { timeout: 60_000 }, async () => {
  const manifest = await parseManifest(text);
  const { host, run } = await open(manifest, load, 1);
  const found = await check(await load(manifest.golden!), host, run, manifest.artifacts[0]!.precision);
  console.log(found.map(({ name, snrDb }) => `${name} ${snrDb.toFixed(1)} dB`).join(", "));
  expect(found.every(({ snrDb, floorDb }) => floorDb >= 15 && snrDb > floorDb)).toBe(true);
});

test("silence stays silence, whatever its length", async () => {
  expect(await loudness(100, reader(new Float32Array(100)), 48_000)).toBe(-Infinity);
  expect(await loudness(96_000, reader(new Float32Array(96_000)), 48_000)).toBe(-Infinity);
});

describe("a bundle is refused by name", () => {
  const changed = (change: (values: any) => void) => {
    const values = JSON.parse(text);
    change(values);
    return JSON.stringify(values);
  };
  test.each([
    ["family", (v: any) => (v.family = "gtcrn"), "family is gtcrn"],
    ["version", (v: any) => (v.version = 1), "of version 1"],
    ["noise", (v: any) => (v.noise_sha256 = "0".repeat(64)), "another noise"],
    ["path", (v: any) => (v.artifacts[0].path = "../secret"), "not a path inside"],
    ["front end", (v: any) => (v.host.front.hop = 7.5), "front end"],
    ["schedule", (v: any) => (v.host.schedules["1"] = [0]), "schedules"],
  ])("%s", async (_, change, said) => {
    await expect(parseManifest(changed(change))).rejects.toThrow(said);
  });

  test("text and altered files", async () => {
    await expect(parseManifest("RIFF")).rejects.toThrow("not a manifest");
    const manifest = await parseManifest(text);
    await expect(verified(manifest.artifacts[0]!, new ArrayBuffer(4))).rejects.toThrow("altered or truncated");
  });
});

function bytes(path: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

function floats(name: string, kind: string): Float32Array {
  return new Float32Array(bytes(join(folder, `${name}.${kind}.f32`)));
}

function reader(wave: Float32Array) {
  return async (begin: number, end: number) => {
    const block = new Float32Array(end - begin);
    block.set(wave.subarray(begin, Math.min(end, wave.length)));
    return block;
  };
}
