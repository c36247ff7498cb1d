/** The thread that computes: opens the bundle, restores, draws, writes files. */
import { expose } from "comlink";
import { env } from "onnxruntime-web/wasm";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import mjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import type { Read } from "../host/chunks.ts";
import { check, type Verdict } from "../host/golden.ts";
import { COMPONENTS } from "../host/host.ts";
import { LoudnessMeter } from "../host/levels.ts";
import { IntegrityError, type Manifest, pick } from "../host/manifest.ts";
import { loudness, type Restorer } from "../host/restorer.ts";
import { FORMATS, open } from "../runtime/ort.ts";
import { load, manifestOf, tidy } from "./bundle.ts";
import { picture } from "./picture.ts";
import { RATE_HZ, type Source } from "./sound.ts";
import { wav } from "./wav.ts";

env.wasm.wasmPaths = { wasm: new URL(wasm, location.href).href, mjs: new URL(mjs, location.href).href };

type Made = (channel: number, begin: number, block: Float32Array) => Promise<void>;

let opened: { readonly root: URL; readonly manifest: Manifest; readonly restorer: Restorer };

const api = {
  /** Opens the bundle at this address; `ready` hears the share that is. */
  async open(address: string, threads: number, ready: (share: number) => void): Promise<void> {
    const root = new URL(address);
    const manifest = await manifestOf(root);
    const restorer = await open(manifest, (file) => load(root, file), threads, ready);
    opened = { root, manifest, restorer };
    await tidy(root, manifest);
  },

  /** What this device makes of the bundle's golden vectors. */
  async check(): Promise<Verdict[]> {
    const { root, manifest, restorer } = opened;
    if (!manifest.golden) throw new IntegrityError("the bundle holds no golden vectors");
    const { precision } = pick(manifest, COMPONENTS[0], FORMATS);
    return check(await load(root, manifest.golden), restorer.host, restorer.run, precision);
  },

  /** Gives `made` the restored blocks of each channel in turn; then the loudness in LUFS before and after. */
  async restore(source: Source, made: Made): Promise<[number, number]> {
    const [channels, length] = await Promise.all([source.channels, source.length]);
    const loudest: [number, number] = [-Infinity, -Infinity];
    for (let channel = 0; channel < channels; channel++) {
      const levels = await restoredChannel(channel, length, async (begin, end) => source.read(channel, begin, end), made);
      levels.forEach((lufs, i) => (loudest[i] = Math.max(loudest[i]!, lufs)));
    }
    return loudest;
  },

  picture,
  wav,
};

export type Api = typeof api;

async function restoredChannel(channel: number, length: number, read: Read, made: Made): Promise<[number, number]> {
  const lufs = await loudness(length, read, RATE_HZ);
  const meter = new LoudnessMeter(RATE_HZ);
  let begin = 0;
  for await (const block of opened.restorer.channel(length, read, lufs)) {
    meter.add(block);
    await made(channel, begin, block);
    begin += block.length;
  }
  return [lufs, meter.integratedLufs()];
}

expose(api);
