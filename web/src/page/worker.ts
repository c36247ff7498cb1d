/** The thread that computes: opens the bundle, restores, draws, writes files. */
import { expose } from "comlink";
import { env } from "onnxruntime-web/wasm";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import mjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import type { Read } from "../host/chunks.ts";
import { loudness, type Restorer } from "../host/restorer.ts";
import { open } from "../runtime/ort.ts";
import { load, manifestOf, tidy } from "./bundle.ts";
import { picture } from "./picture.ts";
import { RATE_HZ, type Source } from "./sound.ts";
import { wav } from "./wav.ts";

env.wasm.wasmPaths = { wasm: new URL(wasm, location.href).href, mjs: new URL(mjs, location.href).href };

let restorer: Restorer | undefined;

const api = {
  /** Opens the bundle at this address; `opened` hears the share that is ready. */
  async open(address: string, threads: number, opened: (share: number) => void): Promise<string> {
    const root = new URL(address);
    const manifest = await manifestOf(root);
    restorer = await open(manifest, (file) => load(root, file), threads, opened);
    await tidy(root, manifest);
    return manifest.model;
  },

  /** Gives `made` the restored blocks of each channel in turn. */
  async restore(source: Source, made: (channel: number, begin: number, block: Float32Array) => Promise<void>) {
    const [channels, length] = await Promise.all([source.channels, source.length]);
    for (let channel = 0; channel < channels; channel++) {
      let begin = 0;
      for await (const block of restorer!.channel(length, readerOf(source, channel))) {
        await made(channel, begin, block);
        begin += block.length;
      }
    }
  },

  /** Integrated loudness in LUFS of the loudest channel. */
  async loudness(source: Source): Promise<number> {
    const [channels, length] = await Promise.all([source.channels, source.length]);
    let loudest = -Infinity;
    for (let channel = 0; channel < channels; channel++) {
      loudest = Math.max(loudest, await loudness(length, readerOf(source, channel), RATE_HZ));
    }
    return loudest;
  },

  picture,
  wav,
};

export type Api = typeof api;

function readerOf(source: Source, channel: number): Read {
  return async (begin, end) => source.read(channel, begin, end);
}

expose(api);
