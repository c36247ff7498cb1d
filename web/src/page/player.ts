/** Before and after, played in step: both run at once, and gains decide which is heard. */
import { RATE_HZ } from "./sound.ts";

const SMOOTH_S = 0.01;

export class Player {
  private readonly context = new AudioContext({ sampleRate: RATE_HZ });
  private readonly gains = [this.context.createGain(), this.context.createGain()] as const;
  private nodes: AudioBufferSourceNode[] = [];
  private startedAt = 0;
  private offset = 0;
  private after = true;
  private strength = 1;

  /** `levels` are the loudness in LUFS of both; `ended` is called when the end is reached. */
  constructor(
    private readonly buffers: readonly [AudioBuffer, AudioBuffer], private readonly levels: readonly [number, number],
    private readonly ended: () => void,
  ) {
    this.gains.forEach((gain) => gain.connect(this.context.destination));
    this.mix(0);
  }

  get playing(): boolean {
    return this.nodes.length > 0;
  }

  get durationS(): number {
    return this.buffers[0].duration;
  }

  /** Where it is, in seconds. */
  get position(): number {
    const elapsed = this.playing ? this.context.currentTime - this.startedAt : 0;
    return Math.min(this.offset + elapsed, this.durationS);
  }

  set position(seconds: number) {
    const wasPlaying = this.playing;
    this.pause();
    this.offset = Math.min(Math.max(0, seconds), this.durationS);
    if (wasPlaying) this.play();
  }

  play(): void {
    if (this.playing) return;
    void this.context.resume();
    if (this.offset >= this.durationS) this.offset = 0;
    this.startedAt = this.context.currentTime;
    this.nodes = this.buffers.map((buffer, i) => {
      const node = new AudioBufferSourceNode(this.context, { buffer });
      node.connect(this.gains[i]!);
      node.start(this.startedAt, this.offset);
      return node;
    });
    this.nodes[0]!.onended = () => {
      this.pause();
      this.offset = 0;
      this.ended();
    };
  }

  pause(): void {
    this.offset = this.position;
    for (const node of this.nodes) {
      node.onended = null;
      node.stop();
      node.disconnect();
    }
    this.nodes = [];
  }

  /** Which one is heard. */
  listen(after: boolean): void {
    this.after = after;
    this.mix();
  }

  /** The restored share of what is heard as after. */
  setStrength(share: number): void {
    this.strength = share;
    this.mix();
  }

  close(): void {
    this.pause();
    void this.context.close();
  }

  private mix(smoothS = SMOOTH_S): void {
    gainsOf(this.after, this.strength, this.levels).forEach((gain, i) =>
      this.gains[i]!.gain.setTargetAtTime(gain, this.context.currentTime, smoothS));
  }
}

/**
 * Gains of given and restored sound (levels in LUFS). The louder of before and after is turned down to the other,
 * so that nobody prefers it for being louder.
 */
export function gainsOf(after: boolean, strength: number, levels: readonly [number, number]): [number, number] {
  const share = after ? strength : 0;
  const apartDb = levels[1] - levels[0];
  const louderDb = (Number.isFinite(apartDb) ? apartDb : 0) * strength * (after ? 1 : -1);
  const gain = 10 ** (Math.min(0, -louderDb) / 20);
  return [(1 - share) * gain, share * gain];
}
