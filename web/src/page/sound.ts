/** A recording or a result: channels of samples at one rate, read block by block. */
import { proxy, transfer } from "comlink";

/** What another thread sees of a sound: samples [begin, end) of a channel, zeros outside it. */
export interface Source {
  readonly channels: number;
  readonly length: number;
  read(channel: number, begin: number, end: number): Float32Array | Promise<Float32Array>;
}

export const RATE_HZ = 48_000;

/** Reads the buffer from another thread without a copy of the whole. */
export function shared(buffer: AudioBuffer): Source {
  return proxy({
    channels: buffer.numberOfChannels,
    length: buffer.length,
    read(channel: number, begin: number, end: number) {
      const block = new Float32Array(end - begin);
      if (begin < buffer.length) buffer.copyFromChannel(block, channel, begin);
      return transfer(block, [block.buffer]);
    },
  });
}
