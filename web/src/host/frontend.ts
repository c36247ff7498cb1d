/**
 * Wave to spectrum and back, as families/hiresldm/frontend.py does it.
 *
 * Spectra are power-law compressed real pairs (T, 2 * bins), real parts first.
 */
import { type Bins, RealFourier } from "./fourier.ts";

/** The audio contract of a model, as `host.front` of its manifest holds it. */
export interface FrontEnd {
  readonly sample_rate_hz: number;
  readonly n_fft: number;
  readonly hop: number;
  readonly mel_bands: number;
  readonly compression: number;
  readonly loudness_lufs: number;
  readonly latent_channels: number;
  readonly latent_hop: number;
}

/** Rows of `width` values, one after another. */
export interface Rows {
  readonly data: Float32Array;
  readonly width: number;
}

/** The transforms of one front end, with their tables. */
export class Transforms {
  readonly bins: number;
  private readonly fourier: RealFourier;
  private readonly pair: readonly [Bins, Bins];
  private readonly window: Float32Array;
  private readonly bands: readonly Band[];

  constructor(private readonly front: FrontEnd) {
    this.bins = front.n_fft / 2 + 1;
    this.fourier = new RealFourier(front.n_fft);
    this.pair = [this.fourier.bins(), this.fourier.bins()];
    this.window = hann(front.n_fft);
    this.bands = melBands(front);
  }

  /** Compressed spectrum (N / hop, 2 * bins) of a wave (N,), N a multiple of the hop. */
  stft(wave: Float32Array): Rows {
    const { n_fft, hop } = this.front;
    const frames = wave.length / hop;
    const data = new Float32Array(frames * 2 * this.bins);
    const padded = new Float32Array(wave.length + n_fft + hop);
    padded.set(wave, n_fft / 2);
    const [a, b] = [new Float32Array(n_fft), new Float32Array(n_fft)];
    for (let t = 0; t < frames; t += 2) {
      this.cut(padded, t * hop, a);
      this.cut(padded, (t + 1) * hop, b);
      this.fourier.forward(a, b, ...this.pair);
      this.compress(this.pair[0], data, t);
      if (t + 1 < frames) this.compress(this.pair[1], data, t + 1);
    }
    return { data, width: 2 * this.bins };
  }

  /** Wave (T * hop,) of a compressed spectrum (T, 2 * bins): the inverse of `stft`. */
  istft({ data, width }: Rows): Float32Array {
    const { n_fft, hop } = this.front;
    const frames = data.length / width;
    const sum = new Float32Array(frames * hop + n_fft);
    const weight = new Float32Array(sum.length);
    for (let t = 0; t < frames; t += 2) {
      this.expand(data, t, this.pair[0]);
      if (t + 1 < frames) this.expand(data, t + 1, this.pair[1]);
      const [first, second] = this.fourier.inverse(...this.pair);
      this.add(sum, weight, first, t * hop);
      if (t + 1 < frames) this.add(sum, weight, second, (t + 1) * hop);
    }
    const half = n_fft / 2;
    return sum.subarray(half, half + frames * hop).map((value, i) => value / Math.max(weight[half + i]!, 1e-6));
  }

  /** Natural-log mel spectrum (T, mel_bands) of a compressed spectrum, floored at 1e-5. */
  logMel({ data, width }: Rows): Rows {
    const { bins, bands } = this;
    const exponent = 0.5 / this.front.compression;
    const magnitude = new Float64Array(bins);
    const mel = new Float32Array((data.length / width) * bands.length);
    for (let t = 0, out = 0; t * width < data.length; t++) {
      const row = t * width;
      for (let k = 0; k < bins; k++) {
        const re = data[row + k]!, im = data[row + bins + k]!;
        magnitude[k] = power(re * re + im * im, exponent);
      }
      for (const { first, weights } of bands) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * magnitude[first + i]!;
        mel[out++] = Math.log(Math.max(sum, 1e-5));
      }
    }
    return { data: mel, width: bands.length };
  }

  private cut(padded: Float32Array, begin: number, frame: Float32Array): void {
    for (let i = 0; i < frame.length; i++) frame[i] = this.window[i]! * padded[begin + i]!;
  }

  private compress({ re, im }: Bins, data: Float32Array, t: number): void {
    const exponent = (this.front.compression - 1) / 2;
    for (let k = 0, at = t * 2 * this.bins; k < this.bins; k++, at++) {
      const scale = power(Math.max(re[k]! * re[k]! + im[k]! * im[k]!, 1e-24), exponent);
      data[at] = re[k]! * scale;
      data[at + this.bins] = im[k]! * scale;
    }
  }

  private expand(data: Float32Array, t: number, { re, im }: Bins): void {
    const exponent = (1 / this.front.compression - 1) / 2;
    for (let k = 0, at = t * 2 * this.bins; k < this.bins; k++, at++) {
      const r = data[at]!, i = data[at + this.bins]!;
      const scale = power(r * r + i * i, exponent);
      re[k] = r * scale;
      im[k] = i * scale;
    }
  }

  private add(sum: Float32Array, weight: Float32Array, frame: Float64Array, begin: number): void {
    for (let i = 0; i < frame.length; i++) {
      const w = this.window[i]!;
      sum[begin + i]! += frame[i]! * w;
      weight[begin + i]! += w * w;
    }
  }
}

/** base ** exponent of a base of 0 or more: twice as fast as the operator, and as near as float32 can tell. */
function power(base: number, exponent: number): number {
  return Math.exp(exponent * Math.log(base));
}

interface Band {
  readonly first: number;
  readonly weights: Float32Array;
}

/** Triangular filters from 20 Hz to half the rate, each summing to one, without their zeros. */
function melBands(front: FrontEnd): Band[] {
  const spacing = front.sample_rate_hz / front.n_fft;
  const edges = melEdges(front);
  return Array.from({ length: front.mel_bands }, (_, band) => {
    const centre = edges[band + 1]!;
    // A band at the bottom is narrower than a bin; widening it to one bin keeps it from being empty.
    const low = Math.min(edges[band]!, centre - spacing);
    const high = Math.max(edges[band + 2]!, centre + spacing);
    const heights = Array.from({ length: front.n_fft / 2 + 1 }, (_, k) =>
      Math.max(0, Math.min((k * spacing - low) / (centre - low), (high - k * spacing) / (high - centre))));
    const total = heights.reduce((sum, height) => sum + height);
    const first = heights.findIndex((height) => height > 0);
    const last = heights.findLastIndex((height) => height > 0);
    return { first, weights: Float32Array.from(heights.slice(first, last + 1), (height) => height / total) };
  });
}

function melEdges(front: FrontEnd): number[] {
  const bottom = melOf(20), top = melOf(front.sample_rate_hz / 2);
  const count = front.mel_bands + 2;
  return Array.from({ length: count }, (_, i) => hzOf(bottom + ((top - bottom) * i) / (count - 1)));
}

function melOf(hz: number): number {
  return 2595 * Math.log10(1 + hz / 700);
}

function hzOf(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}

/** Periodic Hann window (length,). */
function hann(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / length));
}
