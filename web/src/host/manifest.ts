/** `bundle.json`, read as strictly as this host needs it, and the files that it lists. */
import type { FrontEnd } from "./frontend.ts";
import { goldenHash } from "./noise.ts";
import { sha256Of } from "./sha256.ts";

const VERSION = 2;
const FAMILY = "hiresldm";
const MOST_OVERLAP = 32, LARGEST_FFT = 16_384;

/** A bundle that this host cannot play, or one that is not as its manifest says; the message is one sentence. */
export class IntegrityError extends Error {
  override readonly name = "IntegrityError";
}

export interface File {
  readonly path: string;
  readonly sha256: string;
}

/** One component in one format and precision; `data` are the files that `path` refers to. */
export interface Artifact extends File {
  readonly component: string;
  readonly format: string;
  readonly precision: string;
  readonly data: readonly File[];
  readonly enumerated_frames: readonly number[];
}

export interface Manifest {
  readonly model: string;
  readonly host: Host;
  readonly artifacts: readonly Artifact[];
  readonly golden: File | null;
}

/** The values of the host: its front end, and the sampler's times by number of steps. */
export interface Host {
  readonly front: FrontEnd;
  readonly schedules: Readonly<Record<string, readonly number[]>>;
  readonly default_steps: number;
}

/** The verified bytes of a listed file. */
export type Load = (file: File) => Promise<ArrayBuffer>;

/** The manifest in JSON text; throws an IntegrityError for one of another version, family or noise. */
export async function parseManifest(text: string): Promise<Manifest> {
  const values = parsed(text);
  expect(values.version === VERSION, `the bundle is of version ${values.version}; this host reads ${VERSION}`);
  expect(values.family === FAMILY, `the bundle's family is ${values.family}; this host plays ${FAMILY} alone`);
  expect(values.noise_sha256 === (await goldenHash()), "the bundle was made for another noise than this host's");
  expect(Array.isArray(values.artifacts), "the bundle lists no artifacts");
  const manifest = values as unknown as Manifest;
  manifest.artifacts.flatMap((one) => [one, ...(one.data ?? [])]).forEach(checkFile);
  if (manifest.golden) checkFile(manifest.golden);
  checkHost(manifest.host);
  return manifest;
}

/** The first artifact of a component in one of these formats; throws an IntegrityError where there is none. */
export function pick(manifest: Manifest, component: string, formats: readonly string[]): Artifact {
  const found = manifest.artifacts.find((one) => one.component === component && formats.includes(one.format));
  if (!found) throw new IntegrityError(`the bundle holds no ${component} as ${formats.join(" or ")}`);
  return found;
}

/** The bytes of a file, if they are those that the manifest lists; throws an IntegrityError for others. */
export async function verified(file: File, bytes: ArrayBuffer): Promise<ArrayBuffer> {
  const digest = await sha256Of(bytes);
  expect(digest === file.sha256, `${file.path} is altered or truncated: its sha256 is not the manifest's`);
  return bytes;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const values: unknown = JSON.parse(text);
    if (typeof values === "object" && values !== null) return values as Record<string, unknown>;
  } catch {} // told below, in our words
  throw new IntegrityError("bundle.json is not a manifest");
}

function checkFile({ path, sha256 }: File): void {
  const parts = String(path).split("/");
  const inside = parts.every((part) => /^[\w.-]+$/.test(part) && part !== ".." && part !== ".");
  expect(inside, `${path} is not a path inside the bundle`);
  expect(/^[0-9a-f]{64}$/.test(sha256), `the sha256 of ${path} is not 64 hexadecimal digits`);
}

function checkHost({ front, schedules, default_steps }: Host): void {
  const { sample_rate_hz, n_fft, hop, latent_hop, mel_bands, latent_channels, compression } = front;
  const sizes = [n_fft / 2, hop, latent_hop / hop, mel_bands, latent_channels];
  expect(
    sample_rate_hz === 48_000 && sizes.every((size) => Number.isInteger(size) && size > 0)
      && n_fft <= LARGEST_FFT && hop <= n_fft && n_fft <= hop * MOST_OVERLAP
      && compression >= 0.01 && compression <= 1 && Number.isFinite(front.loudness_lufs),
    "the bundle's front end has sizes that are not possible",
  );
  const falling = Object.entries(schedules).every(([steps, times]) =>
    times.length === Number(steps) && times.every((t, i) => t > (times[i + 1] ?? 0) && t <= 1));
  expect(falling && String(default_steps) in schedules, "the bundle's schedules do not fall from 1 to 0");
}

function expect(fits: boolean, sentence: string): void {
  if (!fits) throw new IntegrityError(sentence);
}
