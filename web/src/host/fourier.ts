/**
 * Discrete Fourier transform of one length, any whole number, in double precision.
 *
 * Stockham's form: every pass reads one array and writes the other in order, so nothing is permuted.
 * A pass of radix r costs r operations a value; radices are the prime factors, two twos taken as a four.
 */
export class Fourier {
  private readonly radices: readonly number[];
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  private readonly spare: readonly [Float64Array, Float64Array];

  constructor(readonly length: number) {
    this.radices = radicesOf(length);
    const angle = (-2 * Math.PI) / length;
    this.cos = Float64Array.from({ length }, (_, k) => Math.cos(angle * k));
    this.sin = Float64Array.from({ length }, (_, k) => Math.sin(angle * k));
    this.spare = [new Float64Array(length), new Float64Array(length)];
  }

  /** Transforms real and imaginary parts (length,) in place; swapped, they give the inverse times length. */
  transform(real: Float64Array, imaginary: Float64Array): void {
    let from = [real, imaginary] as const;
    let to = this.spare;
    let left = this.length;
    for (const radix of this.radices) {
      left /= radix;
      this.pass(from, to, radix, left);
      [from, to] = [to, from];
    }
    if (from[0] !== real) {
      real.set(from[0]);
      imaginary.set(from[1]);
    }
  }

  private pass(from: Pair, to: Pair, radix: number, left: number): void {
    const stride = this.length / (radix * left);
    const apart = stride * left;
    for (let p = 0; p < left; p++) {
      const [begin, end, turn] = [stride * p, stride * radix * p, stride * p];
      if (radix === 4) this.fours(from, to, begin, apart, end, stride, turn);
      else this.sums(from, to, begin, apart, end, stride, turn, radix);
    }
  }

  /** Radix 4: `stride` butterflies of values that lie `apart`, their results turned by the same angles. */
  private fours(from: Pair, to: Pair, begin: number, apart: number, end: number, stride: number, turn: number): void {
    const { 0: xr, 1: xi } = from, { 0: yr, 1: yi } = to;
    const c1 = this.cos[turn]!, c2 = this.cos[2 * turn]!, c3 = this.cos[3 * turn]!;
    const s1 = this.sin[turn]!, s2 = this.sin[2 * turn]!, s3 = this.sin[3 * turn]!;
    for (let a = begin, out = end; a < begin + stride; a++, out++) {
      const b = a + apart, c = b + apart, d = c + apart;
      const sumR = xr[a]! + xr[c]!, sumI = xi[a]! + xi[c]!;
      const difR = xr[a]! - xr[c]!, difI = xi[a]! - xi[c]!;
      const addR = xr[b]! + xr[d]!, addI = xi[b]! + xi[d]!;
      const subR = xi[b]! - xi[d]!, subI = xr[d]! - xr[b]!;
      const r1 = difR + subR, i1 = difI + subI, r2 = sumR - addR, i2 = sumI - addI, r3 = difR - subR, i3 = difI - subI;
      yr[out] = sumR + addR;
      yi[out] = sumI + addI;
      yr[out + stride] = r1 * c1 - i1 * s1;
      yi[out + stride] = r1 * s1 + i1 * c1;
      yr[out + 2 * stride] = r2 * c2 - i2 * s2;
      yi[out + 2 * stride] = r2 * s2 + i2 * c2;
      yr[out + 3 * stride] = r3 * c3 - i3 * s3;
      yi[out + 3 * stride] = r3 * s3 + i3 * c3;
    }
  }

  /** Any radix: each result is the sum that defines it, over values turned by their own and the common angle. */
  private sums(
    from: Pair, to: Pair, begin: number, apart: number, end: number, stride: number, turn: number, radix: number,
  ): void {
    const { 0: xr, 1: xi } = from, { 0: yr, 1: yi } = to;
    const unit = this.length / radix;
    for (let j = 0; j < radix; j++) {
      const out = end + j * stride - begin;
      yr.fill(0, out + begin, out + begin + stride);
      yi.fill(0, out + begin, out + begin + stride);
      for (let k = 0; k < radix; k++) {
        const angle = (((j * k) % radix) * unit + j * turn) % this.length;
        const c = this.cos[angle]!, s = this.sin[angle]!;
        for (let q = begin; q < begin + stride; q++) {
          const r = xr[q + k * apart]!, i = xi[q + k * apart]!;
          yr[out + q]! += r * c - i * s;
          yi[out + q]! += r * s + i * c;
        }
      }
    }
  }
}

/** Bins 0 to length / 2 of a real signal. */
export interface Bins {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Spectra of real signals of one length: two of them share a transform as its real and imaginary part. */
export class RealFourier {
  private readonly full: Fourier;
  private readonly re: Float64Array;
  private readonly im: Float64Array;

  constructor(readonly length: number) {
    this.full = new Fourier(length);
    this.re = new Float64Array(length);
    this.im = new Float64Array(length);
  }

  /** Room for the bins of one signal. */
  bins(): Bins {
    const count = (this.length >> 1) + 1;
    return { re: new Float64Array(count), im: new Float64Array(count) };
  }

  /** Writes the bins of the signals a and b (length,). */
  forward(a: ArrayLike<number>, b: ArrayLike<number>, binsA: Bins, binsB: Bins): void {
    const { re, im, length } = this;
    for (let i = 0; i < length; i++) {
      re[i] = a[i]!;
      im[i] = b[i]!;
    }
    this.full.transform(re, im);
    for (let k = 0; 2 * k <= length; k++) {
      const m = k ? length - k : 0;
      binsA.re[k] = (re[k]! + re[m]!) / 2;
      binsA.im[k] = (im[k]! - im[m]!) / 2;
      binsB.re[k] = (im[k]! + im[m]!) / 2;
      binsB.im[k] = (re[m]! - re[k]!) / 2;
    }
  }

  /** The signals a and b (length,) of these bins; views until the next call. */
  inverse(a: Bins, b: Bins): readonly [Float64Array, Float64Array] {
    const { re, im, length } = this;
    for (let k = 0; 2 * k <= length; k++) {
      const alone = k === 0 || 2 * k === length; // such bins of a real signal have no imaginary part
      const imA = alone ? 0 : a.im[k]!, imB = alone ? 0 : b.im[k]!;
      const m = k ? length - k : 0;
      re[m] = (a.re[k]! + imB) / length;
      im[m] = (b.re[k]! - imA) / length;
      re[k] = (a.re[k]! - imB) / length;
      im[k] = (imA + b.re[k]!) / length;
    }
    this.full.transform(im, re);
    return [re, im];
  }
}

type Pair = readonly [Float64Array, Float64Array];

function radicesOf(length: number): number[] {
  const radices: number[] = [];
  let rest = length;
  const take = (factor: number) => {
    for (; rest % factor === 0 && rest > 1; rest /= factor) radices.push(factor);
  };
  take(4);
  take(2);
  for (let factor = 3; factor * factor <= rest; factor += 2) take(factor);
  take(rest);
  return radices;
}
