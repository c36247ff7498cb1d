/**
 * Integrated loudness after ITU-R BS.1770-4 of one channel, as core/signal/loudness.py measures it.
 *
 * Its absolute gate lies 50 LU below the loudest block, so that a louder or softer copy has the same
 * loudness but for its own gain.
 */
import { type Bins, RealFourier } from "./fourier.ts";

const HOP_S = 0.1;
/** Blocks of the standard begin every hop, and have so many of them. */
const BLOCK_HOPS = 4;
const SILENCE_LUFS = -85;
const OFFSET_DB = -0.691;
const RELATIVE_GATE = 10 ** (-10 / 10), PAUSE_GATE = 10 ** (-50 / 10);

// Biquads of BS.1770-4 at 48 kHz, tables 1 and 2: numerator, denominator.
const FILTERS_HZ = 48_000;
const FILTERS = [
  [[1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585]],
  [[1, -2, 1], [1, -1.99004745483398, 0.99007225036621]],
] as const;

/** Takes a signal in blocks of any size; what it holds grows by one number per 100 ms. */
export class LoudnessMeter {
  private readonly hop: number;
  private readonly powers: number[] = [];
  private readonly power: (a: Float32Array, b: Float32Array) => readonly [number, number];
  private pending = new Float32Array(0);

  constructor(private readonly rateHz: number) {
    this.hop = Math.round(HOP_S * rateHz);
    this.power = weightedPowers(this.hop, rateHz);
  }

  /** Takes the next samples (n,). */
  add(wave: Float32Array): void {
    const all = joined(this.pending, wave);
    let begin = 0;
    // Two hops share a transform: an odd one waits.
    for (; begin + 2 * this.hop <= all.length; begin += 2 * this.hop) {
      const next = begin + this.hop;
      this.powers.push(...this.power(all.subarray(begin, next), all.subarray(next, next + this.hop)));
    }
    this.pending = all.slice(begin);
  }

  /** Gated loudness so far in LUFS; ungated below 400 ms; -Infinity for silence. */
  integratedLufs(): number {
    const { hop, pending } = this;
    const waits = pending.length >= hop;
    const last = pending.subarray(0, hop), rest = waits ? pending.subarray(hop) : pending;
    const powers = waits ? [...this.powers, this.power(last, last)[0]] : this.powers;
    if (powers.length >= BLOCK_HOPS) return gated(blocks(powers));
    const beyond = rest.length ? weightedPowers(rest.length, this.rateHz)(rest, rest)[0] : 0;
    const energy = powers.reduce((sum, power) => sum + power * hop, beyond * rest.length);
    return lufs(energy / Math.max(powers.length * hop + rest.length, 1));
  }
}

/** Linear gain to the target; 1 for silence, which stays silence. */
export function gainTo(targetLufs: number, measuredLufs: number): number {
  return measuredLufs < SILENCE_LUFS ? 1 : 10 ** ((targetLufs - measuredLufs) / 20);
}

/** A function that gives the mean squares of two K-weighted waves (length,). */
function weightedPowers(length: number, rateHz: number) {
  const fourier = new RealFourier(length);
  const weights = powerWeights(length, rateHz);
  const bins = [fourier.bins(), fourier.bins()] as const;
  const power = ({ re, im }: Bins) =>
    weights.reduce((sum, weight, k) => sum + weight * (re[k]! * re[k]! + im[k]! * im[k]!), 0) / length ** 2;
  return (a: Float32Array, b: Float32Array): readonly [number, number] => {
    fourier.forward(a, b, ...bins);
    return [power(bins[0]), power(bins[1])];
  };
}

/** |H(f)|^2 of both filters for bins 0 to length / 2; inner ones count twice (Parseval). */
function powerWeights(length: number, rateHz: number): Float64Array {
  return Float64Array.from({ length: (length >> 1) + 1 }, (_, k) => {
    const w = (2 * Math.PI * k * rateHz) / FILTERS_HZ / length;
    const response = FILTERS.reduce((r, [top, bottom]) => (r * square(top, w)) / square(bottom, w), 1);
    return k > 0 && 2 * k < length ? 2 * response : response;
  });
}

/** |b0 + b1 z + b2 z^2|^2 at z = exp(-jw). */
function square([b0, b1, b2]: readonly [number, number, number], w: number): number {
  const re = b0 + b1 * Math.cos(w) + b2 * Math.cos(2 * w);
  const im = b1 * Math.sin(w) + b2 * Math.sin(2 * w);
  return re * re + im * im;
}

/** Powers of the blocks of hops of these powers. */
function blocks(powers: readonly number[]): number[] {
  const count = powers.length - BLOCK_HOPS + 1;
  return Array.from({ length: count }, (_, first) => mean(powers.slice(first, first + BLOCK_HOPS)));
}

function gated(powers: readonly number[]): number {
  const loudest = powers.reduce((most, power) => Math.max(most, power));
  const heard = powers.filter((power) => power > loudest * PAUSE_GATE);
  if (!heard.length) return -Infinity;
  const gate = mean(heard) * RELATIVE_GATE;
  return lufs(mean(heard.filter((power) => power > gate)));
}

function lufs(power: number): number {
  return power > 0 ? OFFSET_DB + 10 * Math.log10(power) : -Infinity;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value) / values.length;
}

function joined(a: Float32Array, b: Float32Array): Float32Array<ArrayBuffer> {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
