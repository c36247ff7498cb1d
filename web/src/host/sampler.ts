/**
 * The deterministic sampler (Song 2021, DDIM, eta 0) of core/signal/sampler.py, warm-started from the recovered latent.
 *
 * The path is z_t = a_t z + s_t e with a_t = cos(pi t / 2), s_t = sin(pi t / 2), t from 1 (noise) to 0.
 */

/** (z_t, t) -> predicted clean latent. */
export type Denoise = (noisy: Float32Array, t: number) => Promise<Float32Array>;

/** The clean latent after steps at these falling times; arrays are of one shape, which does not matter. */
export async function ddim(
  denoise: Denoise, recovered: Float32Array, noise: Float32Array, times: readonly number[],
): Promise<Float32Array> {
  const [a, s] = scales(times[0]!);
  let z = recovered.map((value, i) => value * a + noise[i]! * s);
  for (const [i, t] of times.entries()) z = step(z, await denoise(z, t), t, times[i + 1] ?? 0);
  return z;
}

function step(z: Float32Array, clean: Float32Array, t: number, next: number): Float32Array<ArrayBuffer> {
  const [a, s] = scales(t);
  const [aNext, sNext] = scales(next);
  const ratio = sNext / s;
  return Float32Array.from(clean, (value, i) => value * aNext + (z[i]! - value * a) * ratio);
}

function scales(t: number): [number, number] {
  return [Math.cos((Math.PI / 2) * t), Math.sin((Math.PI / 2) * t)];
}
