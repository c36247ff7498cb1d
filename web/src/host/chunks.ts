/** A long signal through a function of short ones: overlapping chunks, joined by a cross-fade (core/signal/chunks.py). */

/** Sizes in samples; `chunk` and `context` are whole frames of `hop` samples. */
export interface ChunkPlan {
  readonly hop: number;
  readonly chunk: number;
  readonly context: number;
  readonly fade: number;
}

/** Samples [begin, end) of the signal, silence outside it. */
export type Read = (begin: number, end: number) => Promise<Float32Array>;
/** (wave (n,), its first frame in the signal) -> wave (n,); n is whole frames. */
export type ChunkFunction = (wave: Float32Array, firstFrame: number) => Promise<Float32Array>;

/** The plan nearest to these lengths in seconds. */
export function planOf(
  rateHz: number, hop: number, { chunk_s, context_s, fade_s }: { chunk_s: number; context_s: number; fade_s: number },
): ChunkPlan {
  const frameRateHz = rateHz / hop;
  return {
    hop,
    chunk: Math.max(1, Math.round(chunk_s * frameRateHz)) * hop,
    context: Math.ceil(context_s * frameRateHz) * hop,
    fade: Math.round(fade_s * rateHz),
  };
}

/**
 * Blocks of the result, as many samples as came in.
 *
 * The function sees `context` samples on both sides of a chunk (none before the signal, silence after
 * it), and what it makes of them is dropped, but for `fade` samples after the chunk.
 */
export async function* chunked(
  length: number, read: Read, plan: ChunkPlan, apply: ChunkFunction,
): AsyncGenerator<Float32Array> {
  const total = Math.ceil(length / plan.hop) * plan.hop + plan.context;
  let tail = new Float32Array(0);
  for (let begin = 0; begin < length; begin += plan.chunk) {
    const first = Math.max(0, begin - plan.context);
    const reach = begin + plan.chunk + plan.context;
    const last = total <= reach;
    const made = await apply(await read(first, Math.min(reach, total)), first / plan.hop);
    const piece = made.slice(begin - first);
    fadeIn(piece, tail);
    yield piece.subarray(0, last ? length - begin : plan.chunk);
    if (last) return;
    tail = piece.slice(plan.chunk, plan.chunk + plan.fade);
  }
}

function fadeIn(piece: Float32Array, tail: Float32Array): void {
  for (let i = 0; i < tail.length; i++) {
    const rising = (i + 0.5) / tail.length;
    piece[i] = piece[i]! * rising + tail[i]! * (1 - rising);
  }
}
