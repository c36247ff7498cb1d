// Counter-based Gaussian noise, the same to the bit as core/signal/noise.py.
//
// Philox4x32-10 (Salmon 2011) gives 32-bit words, Acklam's rational approximation of the inverse
// normal distribution turns them into normals. Only + - * / and Math.sqrt are used, which IEEE 754
// rounds exactly: Math.log may differ between engines.

import { sha256Of } from "./sha256.ts";

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const KEY_STEPS = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

// Acklam's coefficients, highest power first; relative error below 1.15e-9.
const CENTRE_TOP = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2,
  1.383577518672690e2, -3.066479806614716e1, 2.506628277459239,
];
const CENTRE_BOTTOM = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2,
  6.680131188771972e1, -1.328068155288572e1, 1,
];
const TAIL_TOP = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838,
  -2.549732539343734, 4.374664141464968, 2.938163982698783,
];
const TAIL_BOTTOM = [
  7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1,
];
const TAIL_BELOW = 0.02425;

const SQRT_HALF = 0.7071067811865476;
const LN_2 = 0.6931471805599453;
const ATANH = Array.from({ length: 12 }, (_, i) => 1 / (23 - 2 * i));

/** A BigInt or a safe integer. */
export type Whole = bigint | number;
/** The two 32-bit words of a number, low word first. */
type Word64 = readonly [number, number];

/**
 * Standard normals of latent frames `firstFrame` onwards, row by row: a Float32Array of
 * `frames * channels`. A value depends on (seed, step, frame, channel) alone. Seeds, steps
 * and places are below 2^64; throws a RangeError for others.
 */
export function normals(
  seed: Whole, step: Whole, firstFrame: Whole, frames: number, channels: number,
): Float32Array<ArrayBuffer> {
  const begin = word64("first frame", firstFrame) * BigInt(channels);
  const key = split(word64("seed", seed));
  const stream = split(word64("step", step));
  const out = new Float32Array(frames * channels);
  const skipped = Number(begin % 4n);
  const firstBlock = begin / 4n;
  let block = split(firstBlock);
  const words = new Uint32Array(4);
  for (let i = -skipped; i < out.length; i += 4) {
    philox(words, block, stream, key);
    for (let j = Math.max(0, -i); j < 4 && i + j < out.length; j++) {
      out[i + j] = normalOf(words[j]!);
    }
    block = block[0] === 0xffffffff ? [0, (block[1] + 1) >>> 0] : [block[0] + 1, block[1]];
  }
  return out;
}

/** SHA-256 of the first 4096 normals of seed 1234, little-endian: what a manifest's `noise_sha256` is. */
export async function goldenHash(): Promise<string> {
  return sha256Of(normals(1234, 0, 0, 4096, 1).buffer);
}

/** The four words of a counter block, written into `words`. */
function philox(words: Uint32Array, block: Word64, stream: Word64, key: Word64): void {
  let [c0, c1] = block;
  let [c2, c3] = stream;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(c0, MULTIPLIERS[0]);
    const high1 = multiplyHigh(c2, MULTIPLIERS[1]);
    const low0 = Math.imul(c0, MULTIPLIERS[0]) >>> 0;
    const low1 = Math.imul(c2, MULTIPLIERS[1]) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c1 = low1;
    c3 = low0;
    k0 = (k0 + KEY_STEPS[0]) >>> 0;
    k1 = (k1 + KEY_STEPS[1]) >>> 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** The normal at the quantile (word + 0.5) / 2^32, in double precision. */
function normalOf(word: number): number {
  const p = (word + 0.5) / 4294967296;
  const lower = Math.min(p, 1 - p);
  if (lower >= TAIL_BELOW) {
    const q = p - 0.5;
    const r = q * q;
    return (polynomial(CENTRE_TOP, r) * q) / polynomial(CENTRE_BOTTOM, r);
  }
  const q = Math.sqrt(-2 * log(lower));
  const tail = polynomial(TAIL_TOP, q) / polynomial(TAIL_BOTTOM, q);
  return p < 0.5 ? tail : -tail;
}

const float = new Float64Array(1);
const bits = new Uint32Array(float.buffer);
// Which half of a double holds its exponent depends on the machine.
float[0] = 1;
const HIGH = bits[1] === 0x3ff00000 ? 1 : 0;

/** Natural logarithm of a positive normal number, from basic arithmetic only. */
function log(x: number): number {
  float[0] = x;
  let exponent = ((bits[HIGH]! >>> 20) & 0x7ff) - 1022;
  bits[HIGH] = (bits[HIGH]! & 0x000fffff) | 0x3fe00000;
  let mantissa = float[0]!;
  if (mantissa < SQRT_HALF) {
    mantissa *= 2;
    exponent -= 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  return exponent * LN_2 + 2 * s * polynomial(ATANH, s * s);
}

/** Horner's rule; each product and each sum is rounded on its own. */
function polynomial(coefficients: readonly number[], x: number): number {
  let total = coefficients[0]!;
  for (let i = 1; i < coefficients.length; i++) total = total * x + coefficients[i]!;
  return total;
}

/** The high word of the 64-bit product of two words, from four products of half words. */
function multiplyHigh(a: number, b: number): number {
  const a1 = a >>> 16, a0 = a & 0xffff;
  const b1 = b >>> 16, b0 = b & 0xffff;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16);
  const carry = a0 * b1 + (middle % 65536);
  return (a1 * b1 + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

function word64(name: string, value: Whole): bigint {
  const whole = BigInt(value);
  if (whole < 0n || whole >= 1n << 64n) {
    throw new RangeError(`the ${name} is ${value}; accepted are whole numbers from 0 to 2^64 - 1`);
  }
  return whole;
}

function split(value: bigint): Word64 {
  return [Number(value & 0xffffffffn), Number(value >> 32n)];
}
