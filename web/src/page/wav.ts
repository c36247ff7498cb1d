/** A sound as a WAV file of 24 bits. */
import { RATE_HZ, type Source } from "./sound.ts";

const HEADER_BYTES = 44, SAMPLE_BYTES = 3, FULL_SCALE = 2 ** 23 - 1;
const BLOCK = 5 * RATE_HZ;

export interface Written {
  readonly file: Blob;
  /** What the whole was multiplied with so that it does not clip; 1 where it would not. */
  readonly gain: number;
}

/** `strength` of the restored sound and the rest of the given one, which has as many samples. */
export async function wav(given: Source, restored: Source, strength: number): Promise<Written> {
  const [channels, length] = await Promise.all([given.channels, given.length]);
  const mixed = async (channel: number, begin: number) => {
    const end = Math.min(begin + BLOCK, length);
    const [a, b] = await Promise.all([given.read(channel, begin, end), restored.read(channel, begin, end)]);
    return a.map((value, i) => value + strength * (b[i]! - value));
  };
  const begins = Array.from({ length: Math.ceil(length / BLOCK) }, (_, i) => i * BLOCK);
  let peak = 1;
  for (const begin of begins) {
    for (let c = 0; c < channels; c++) for (const value of await mixed(c, begin)) peak = Math.max(peak, Math.abs(value));
  }
  const parts: Blob[] = [new Blob([header(channels, length)])];
  for (const begin of begins) {
    const columns = await Promise.all(Array.from({ length: channels }, (_, c) => mixed(c, begin)));
    parts.push(new Blob([interleaved(columns, FULL_SCALE / peak)]));
  }
  return { file: new Blob(parts, { type: "audio/wav" }), gain: 1 / peak };
}

function header(channels: number, length: number): ArrayBuffer {
  const bytes = length * channels * SAMPLE_BYTES;
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (at: number, word: string) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, channels, true);
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, RATE_HZ * channels * SAMPLE_BYTES, true);
  view.setUint16(32, channels * SAMPLE_BYTES, true);
  view.setUint16(34, 8 * SAMPLE_BYTES, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return view.buffer;
}

function interleaved(columns: readonly Float32Array[], scale: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(columns.length * columns[0]!.length * SAMPLE_BYTES);
  let at = 0;
  for (let i = 0; i < columns[0]!.length; i++) {
    for (const column of columns) {
      const value = Math.round(column[i]! * scale);
      bytes[at++] = value;
      bytes[at++] = value >> 8;
      bytes[at++] = value >> 16;
    }
  }
  return bytes;
}
