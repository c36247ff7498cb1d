/** Channels of a recording at the host's rate to restored channels, whatever their level and length. */
import { chunked, type ChunkPlan, planOf, type Read } from "./chunks.ts";
import { CONTEXT_S, type Host, type Options, type Runners } from "./host.ts";
import { gainTo, LoudnessMeter } from "./levels.ts";

const FADE_S = 0.1;
/** Longer chunks compute less context twice and take more memory; the result is the same. */
const CHUNK_S = 12;
const BLOCK = 65_536;

/** The components of a bundle on an engine; `lengths` are the only numbers of frames that they take (none: any). */
export class Restorer {
  private readonly plan: ChunkPlan;

  constructor(
    readonly run: Runners, readonly host: Host, private readonly lengths: readonly number[] = [],
    chunkS = CHUNK_S,
  ) {
    const { sample_rate_hz, latent_hop } = host.values.front;
    const longestS = lengths.length ? (lengths.at(-1)! * latent_hop) / sample_rate_hz : Infinity;
    const chunk_s = Math.min(chunkS, longestS - 2 * CONTEXT_S);
    this.plan = planOf(sample_rate_hz, latent_hop, { chunk_s, context_s: CONTEXT_S, fade_s: FADE_S });
  }

  /** Blocks of one restored channel, at the level of the `length` samples that `read` gives: `lufs` (see `loudness`). */
  async *channel(length: number, read: Read, lufs: number, options: Partial<Options> = {}): AsyncGenerator<Float32Array> {
    const { front, default_steps } = this.host.values;
    const chosen = { steps: options.steps ?? default_steps, seed: options.seed ?? 0 };
    const gain = gainTo(front.loudness_lufs, lufs);
    const levelled: Read = async (begin, end) => scaled(await read(begin, end), gain);
    const apply = (wave: Float32Array, first: number) => this.padded(wave, first, chosen);
    for await (const block of chunked(length, levelled, this.plan, apply)) yield scaled(block, 1 / gain);
  }

  /** A chunk (n,), with silence behind it up to an accepted length. */
  private async padded(wave: Float32Array, firstFrame: number, options: Options): Promise<Float32Array> {
    const hop = this.host.values.front.latent_hop;
    const accepted = this.lengths.find((frames) => frames * hop >= wave.length);
    const whole = new Float32Array(accepted ? accepted * hop : wave.length);
    whole.set(wave);
    return (await this.host.process(this.run, whole, firstFrame, options)).subarray(0, wave.length);
  }
}

/** Integrated loudness in LUFS of `length` samples. */
export async function loudness(length: number, read: Read, rateHz: number): Promise<number> {
  const meter = new LoudnessMeter(rateHz);
  for (let begin = 0; begin < length; begin += BLOCK) meter.add(await read(begin, Math.min(begin + BLOCK, length)));
  return meter.integratedLufs();
}

function scaled(wave: Float32Array, gain: number): Float32Array {
  return wave.map((value) => value * gain);
}
