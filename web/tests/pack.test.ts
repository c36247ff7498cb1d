/** A pack for Android, played by its manifest and vectors alone: `pytest tests/export/test_pack.py` makes one and runs this. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { snrDb } from "../src/host/golden.ts";
import { COMPONENTS, type Runner, type Tensor } from "../src/host/host.ts";
import { type Load, parseManifest, verified } from "../src/host/manifest.ts";
import { normals } from "../src/host/noise.ts";
import { open } from "../src/runtime/ort.ts";

const folder = process.env.HIRESLDM_PACK ?? "";
const FLOOR_DB = 30; // of half precision, as in parity/thresholds.toml

test.skipIf(!folder)("vectors of a pack", { timeout: 120_000 }, async () => {
  const { noise, speech } = JSON.parse(readFileSync(join(folder, "vectors/vectors.json"), "utf8"));
  for (const { seed, step, first_frame, frames, channels, file } of noise) {
    expect(normals(BigInt(seed), BigInt(step), BigInt(first_frame), Number(frames), Number(channels))).toEqual(floats(file));
  }
  const load: Load = async (file) => verified(file, bytes(file.path));
  const { host, run } = await open(await parseManifest(readFileSync(join(folder, "bundle.json"), "utf8")), load, 1);
  const outputs: Record<string, Tensor> = {};
  const noting = Object.fromEntries(COMPONENTS.map((name): [string, Runner] => [name, async (inputs) => {
    const made = await run[name]!(inputs);
    outputs[name] = made[speech.components[name].output]!;
    return made;
  }]));
  const wave = new Float32Array(speech.latent_frames * host.values.front.latent_hop);
  wave.set(floats(speech.wave.file));
  const restored = await host.process(noting, wave, 0, { steps: speech.steps, seed: BigInt(speech.seed) });
  expect(snrDb(floats(speech.restored.file), restored)).toBeGreaterThan(FLOOR_DB);
  for (const name of COMPONENTS) {
    const { file, kept: places, shape } = speech.components[name];
    const got = places.flatMap((place: number) => [...outputs[name]!.data.subarray(place * shape[1], (place + 1) * shape[1])]);
    expect(snrDb(floats(file), got)).toBeGreaterThan(FLOOR_DB);
  }
});

function floats(path: string): Float32Array {
  return new Float32Array(bytes(path));
}

function bytes(path: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = readFileSync(join(folder, path));
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
