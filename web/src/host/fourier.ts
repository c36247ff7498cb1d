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
    for (let p = 0; p < left; p++) {
      for (let q = 0; q < stride; q++) {
        const begin = q + stride * p;
        const end = q + stride * radix * p;
        if (radix === 4) this.four(from, to, begin, stride * left, end, stride, p * stride);
        else this.any(from, to, begin, stride * left, end, stride, p * stride, radix);
      }
    }
  }

  private four(
    [xr, xi]: Pair, [yr, yi]: Pair, at: number, apart: number, out: number, stride: number, turn: number,
  ): void {
    const b = at + apart, c = b + apart, d = c + apart;
    const sumR = xr[at]! + xr[c]!, sumI = xi[at]! + xi[c]!;
    const difR = xr[at]! - xr[c]!, difI = xi[at]! - xi[c]!;
    const addR = xr[b]! + xr[d]!, addI = xi[b]! + xi[d]!;
    const subR = xi[b]! - xi[d]!, subI = xr[d]! - xr[b]!;
    yr[out] = sumR + addR;
    yi[out] = sumI + addI;
    this.turned(yr, yi, out + stride, difR + subR, difI + subI, turn);
    this.turned(yr, yi, out + 2 * stride, sumR - addR, sumI - addI, 2 * turn);
    this.turned(yr, yi, out + 3 * stride, difR - subR, difI - subI, 3 * turn);
  }

  private any(
    [xr, xi]: Pair, [yr, yi]: Pair, at: number, apart: number, out: number, stride: number, turn: number,
    radix: number,
  ): void {
    const unit = this.length / radix;
    for (let j = 0; j < radix; j++) {
      let re = 0, im = 0;
      for (let k = 0; k < radix; k++) {
        const w = ((j * k) % radix) * unit;
        const r = xr[at + k * apart]!, i = xi[at + k * apart]!;
        re += r * this.cos[w]! - i * this.sin[w]!;
        im += r * this.sin[w]! + i * this.cos[w]!;
      }
      this.turned(yr, yi, out + j * stride, re, im, j * turn);
    }
  }

  private turned(yr: Float64Array, yi: Float64Array, at: number, re: number, im: number, turn: number): void {
    const c = this.cos[turn]!, s = this.sin[turn]!;
    yr[at] = re * c - im * s;
    yi[at] = re * s + im * c;
  }
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

  /** Calls `bin(k, reA, imA, reB, imB)` for bins 0 to length / 2 of the signals a and b (length,). */
  forward(a: ArrayLike<number>, b: ArrayLike<number>, bin: (k: number, ...parts: Four) => void): void {
    const { re, im, length } = this;
    for (let i = 0; i < length; i++) {
      re[i] = a[i]!;
      im[i] = b[i]!;
    }
    this.full.transform(re, im);
    for (let k = 0; 2 * k <= length; k++) {
      const m = k ? length - k : 0;
      const r = re[k]!, i = im[k]!, rm = re[m]!, mi = im[m]!;
      bin(k, (r + rm) / 2, (i - mi) / 2, (i + mi) / 2, (rm - r) / 2);
    }
  }

  /** The signals a and b, views until the next call, whose bins 0 to length / 2 `bin` writes into its argument. */
  inverse(bin: (k: number, parts: Four) => void): readonly [Float64Array, Float64Array] {
    const { re, im, length } = this;
    const parts: Four = [0, 0, 0, 0];
    for (let k = 0; 2 * k <= length; k++) {
      bin(k, parts);
      const alone = k === 0 || 2 * k === length; // such bins of a real signal have no imaginary part
      const [reA, reB] = [parts[0], parts[2]];
      const [imA, imB] = alone ? [0, 0] : [parts[1], parts[3]];
      const m = k ? length - k : 0;
      re[m] = (reA + imB) / length;
      im[m] = (reB - imA) / length;
      re[k] = (reA - imB) / length;
      im[k] = (imA + reB) / length;
    }
    this.full.transform(im, re);
    return [re, im];
  }
}

type Pair = readonly [Float64Array, Float64Array];
type Four = [number, number, number, number];

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
