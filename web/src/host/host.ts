/** What surrounds the networks of the family `hiresldm`: from a chunk of wave to a chunk of wave. */
import { type Rows, Transforms } from "./frontend.ts";
import { IntegrityError, type Host as Values } from "./manifest.ts";
import { normals, type Whole } from "./noise.ts";
import { ddim } from "./sampler.ts";

/** The networks, in the order in which audio passes them. */
export const COMPONENTS = ["recovery", "encoder", "denoiser", "decoder"] as const;
/** Seconds on both sides of a chunk that change what is made of it. */
export const CONTEXT_S = 0.8;
// The sampler is deterministic, so only its start draws noise.
const NOISE_STEP = 0;

export interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}
/** One component on an engine: named inputs to named outputs. */
export type Runner = (inputs: Readonly<Record<string, Tensor>>) => Promise<Readonly<Record<string, Tensor>>>;
export type Runners = Readonly<Record<string, Runner>>;

export interface Options {
  readonly steps: number;
  readonly seed: Whole;
}

/** The host that a manifest describes. */
export class Host {
  readonly transforms: Transforms;

  constructor(readonly values: Values) {
    this.transforms = new Transforms(values.front);
  }

  /** The restored chunk (n,) of a wave (n,), n whole latent frames, which begins at `firstFrame`. */
  async process(run: Runners, wave: Float32Array, firstFrame: number, options: Options): Promise<Float32Array> {
    const times = this.values.schedules[options.steps];
    if (!times) throw new RangeError(`${options.steps} steps are not offered; ${Object.keys(this.values.schedules)} are`);
    const recovered = await this.recovered(run, wave);
    const condition = await this.latent(run, recovered);
    const channels = this.values.front.latent_channels;
    const noise = normals(options.seed, NOISE_STEP, firstFrame, condition.data.length / channels, channels);
    const denoise = async (noisy: Float32Array, t: number) => {
      const inputs = { noisy: batch({ data: noisy, width: channels }), condition: batch(condition), time: time(t) };
      return made(run, "denoiser", inputs, "clean", noisy.length, channels).then((clean) => clean.data);
    };
    const clean = await ddim(denoise, condition.data, noise, times);
    return this.decoded(run, { data: clean, width: channels }, recovered);
  }

  private async recovered(run: Runners, wave: Float32Array): Promise<Rows> {
    const spectrum = this.transforms.stft(wave);
    return made(run, "recovery", { spectrum: batch(spectrum) }, "recovered", spectrum.data.length, spectrum.width);
  }

  private async latent(run: Runners, spectrum: Rows): Promise<Rows> {
    const { hop, latent_hop, latent_channels } = this.values.front;
    const frames = ((spectrum.data.length / spectrum.width) * hop) / latent_hop;
    const inputs = { log_mel: batch(this.transforms.logMel(spectrum)) };
    return made(run, "encoder", inputs, "latent", frames * latent_channels, latent_channels);
  }

  private async decoded(run: Runners, latent: Rows, recovered: Rows): Promise<Float32Array> {
    const inputs = { latent: batch(latent), recovered: batch(recovered) };
    const { length } = recovered.data;
    return this.transforms.istft(await made(run, "decoder", inputs, "restored", length, recovered.width));
  }
}

/** The output of a component, of so many values; a bundle may hold any graph, or lack one. */
async function made(
  run: Runners, component: string, inputs: Readonly<Record<string, Tensor>>, output: string, length: number, width: number,
): Promise<Rows> {
  const outputs = await run[component]!(inputs);
  const found = outputs[output];
  if (found?.data.length !== length) {
    throw new IntegrityError(`${component} does not give ${output} of ${length} values, which the host needs`);
  }
  return { data: found.data, width };
}

function batch({ data, width }: Rows): Tensor {
  return { data, shape: [1, data.length / width, width] };
}

function time(t: number): Tensor {
  return { data: Float32Array.of(t), shape: [1] };
}
