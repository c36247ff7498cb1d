/** What a sound looks like: its peaks, and its spectrogram as pixels. */
import { transfer } from "comlink";
import { RealFourier } from "../host/fourier.ts";
import type { Source } from "./sound.ts";

const COLUMNS = 800, ROWS = 160;
const WINDOW = 2048;
const FLOOR_DB = -100, RANGE_DB = 90;
// From dark to light through violet and orange: readable without colour, too.
const STOPS = [[8, 8, 24], [74, 28, 110], [176, 52, 96], [244, 142, 60], [252, 248, 200]] as const;

export interface Picture {
  readonly columns: number;
  readonly rows: number;
  /** Lowest and highest sample of each column. */
  readonly peaks: Float32Array;
  /** RGBA, the highest frequency first. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** A picture of the first channel, of the same size whatever its length. */
export async function picture(source: Source): Promise<Picture> {
  const length = await source.length;
  const peaks = new Float32Array(2 * COLUMNS);
  const pixels = new Uint8ClampedArray(COLUMNS * ROWS * 4);
  const fourier = new RealFourier(WINDOW);
  for (let column = 0; column < COLUMNS; column++) {
    const begin = Math.floor((column * length) / COLUMNS);
    const end = Math.max(begin + 1, Math.floor(((column + 1) * length) / COLUMNS));
    const block = await source.read(0, begin, Math.max(end, begin + WINDOW));
    peaks.set(extremes(block.subarray(0, end - begin)), 2 * column);
    paint(pixels, column, decibels(fourier, block));
  }
  return transfer({ columns: COLUMNS, rows: ROWS, peaks, pixels }, [peaks.buffer, pixels.buffer]);
}

function extremes(block: Float32Array): [number, number] {
  return block.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [0, 0]);
}

/** Level of each of ROWS bands of equal width up to half the rate, in dB of full scale. */
function decibels(fourier: RealFourier, block: Float32Array): Float64Array {
  const windowed = Float32Array.from({ length: WINDOW }, (_, i) =>
    block[i]! * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW)));
  const bins = fourier.bins();
  fourier.forward(windowed, windowed, bins, bins);
  const loudest = new Float64Array(ROWS);
  bins.re.forEach((re, k) => {
    const row = Math.min(ROWS - 1, Math.floor((k * ROWS * 2) / WINDOW));
    loudest[row] = Math.max(loudest[row]!, re ** 2 + bins.im[k]! ** 2);
  });
  return loudest.map((power) => 10 * Math.log10(power / (WINDOW / 4) ** 2 + 1e-20));
}

function paint(pixels: Uint8ClampedArray, column: number, levels: Float64Array): void {
  levels.forEach((level, row) => {
    const share = Math.min(1, Math.max(0, (level - FLOOR_DB) / RANGE_DB)) * (STOPS.length - 1);
    const stop = Math.min(STOPS.length - 2, Math.floor(share));
    const at = ((ROWS - 1 - row) * COLUMNS + column) * 4;
    STOPS[stop]!.forEach((value, i) => (pixels[at + i] = value + (STOPS[stop + 1]![i]! - value) * (share - stop)));
    pixels[at + 3] = 255;
  });
}

