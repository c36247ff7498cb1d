/** The self-test: what this device makes of the golden vectors, against what PyTorch made (parity/golden.py). */
import { COMPONENTS, type Host, type Runners, type Tensor } from "./host.ts";
import { readNpz } from "./npz.ts";

const FRAMES = 12, FULL_SCALE = 32767;
/** By precision, in dB, as `golden_db` in parity/thresholds.toml. */
const FLOORS_DB: Readonly<Record<string, number>> = { fp32: 80, fp16: 30, int8: 15, "int8-dynamic": 15 };
const LOWEST_DB = 8;
/** The restored wave is written down in half precision: nothing comes nearer to it than about 70 dB. */
const WAVE_DB = 60;

export interface Verdict {
  readonly name: string;
  readonly snrDb: number;
  readonly floorDb: number;
}

/** How near each component and the restored wave come to the reference, each component fed by the one before. */
export async function check(golden: ArrayBuffer, host: Host, run: Runners, precision: string): Promise<Verdict[]> {
  const arrays = await readNpz(golden);
  const made = new Map<string, Tensor>();
  const noting = Object.fromEntries(COMPONENTS.map((name) => [name, async (inputs: Parameters<Runners[string]>[0]) => {
    const outputs = await run[name]!(inputs);
    made.set(name, Object.values(outputs)[0]!);
    return outputs;
  }]));
  const wave = Float32Array.from(arrays.get("wave")!, (value) => value / FULL_SCALE);
  const restored = await host.process(noting, wave, 0, { steps: host.values.default_steps, seed: 0 });
  const floorDb = FLOORS_DB[precision] ?? LOWEST_DB;
  const of = (name: string) => arrays.get(`${FRAMES}/${name}`)!;
  return [
    ...COMPONENTS.map((name) => ({ name, snrDb: snrDb(of(name), kept(made.get(name)!, of(name).length)), floorDb })),
    { name: "wave", snrDb: snrDb(of("pipeline"), restored), floorDb: Math.min(floorDb, WAVE_DB) },
  ];
}

/** Evenly spread frames, so many that they hold `length` values. */
function kept({ data, shape }: Tensor, length: number): Float32Array {
  const width = shape.at(-1)!;
  const [frames, count] = [data.length / width, length / width];
  const apart = (frames - 1) / (count - 1);
  return Float32Array.from({ length }, (_, i) => data[Math.floor(Math.floor(i / width) * apart) * width + (i % width)]!);
}

/** The power of the reference over that of the error. */
export function snrDb(wanted: ArrayLike<number>, got: ArrayLike<number>): number {
  let signal = 0, error = 0;
  for (let i = 0; i < wanted.length; i++) {
    signal += wanted[i]! ** 2;
    error += (wanted[i]! - got[i]!) ** 2;
  }
  return 10 * Math.log10(signal / error);
}
