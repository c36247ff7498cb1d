/** Recordings from files and from the microphone, as buffers at the model's rate. */
import { RATE_HZ } from "./sound.ts";
import tap from "./tap.worklet.ts?worker&url";

/** Of all channels together: before and after take 23 MB a minute. */
const MOST_MINUTES = 40;

/** The sound of an audio or video file; throws an Error that says what is wrong with it. */
export async function decoded(file: File): Promise<AudioBuffer> {
  const context = new OfflineAudioContext(1, 1, RATE_HZ);
  const buffer = await file.arrayBuffer().then((bytes) => context.decodeAudioData(bytes)).catch(() => {
    throw new Error(`${file.name} holds no sound that this browser can decode; WAV, FLAC, MP3, M4A, MP4, Opus and WebM usually are.`);
  });
  return checked(buffer);
}

/** A microphone that is being recorded, without the browser's own noise reduction. */
export class Microphone {
  private readonly blocks: Float32Array[] = [];

  private constructor(private readonly stream: MediaStream, private readonly context: AudioContext, node: AudioWorkletNode) {
    node.port.onmessage = ({ data }) => this.blocks.push(data);
  }

  /** Asks for the microphone; throws an Error where there is none or it is refused. */
  static async open(): Promise<Microphone> {
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio }).catch((error: DOMException) => {
      throw new Error(error.name === "NotAllowedError" ? "The microphone was not allowed." : "There is no microphone.");
    });
    const context = new AudioContext({ sampleRate: RATE_HZ });
    await context.audioWorklet.addModule(tap);
    const node = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    context.createMediaStreamSource(stream).connect(node);
    return new Microphone(stream, context, node);
  }

  /** Ends the recording and gives it. */
  async stop(): Promise<AudioBuffer> {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
    const length = this.blocks.reduce((sum, block) => sum + block.length, 0);
    if (!length) throw new Error("The microphone gave nothing.");
    const buffer = new AudioBuffer({ length, sampleRate: RATE_HZ });
    let begin = 0;
    for (const block of this.blocks) {
      buffer.copyToChannel(block as Float32Array<ArrayBuffer>, 0, begin);
      begin += block.length;
    }
    return checked(buffer);
  }
}

function checked(buffer: AudioBuffer): AudioBuffer {
  const minutes = (buffer.duration * buffer.numberOfChannels) / 60;
  if (minutes <= MOST_MINUTES) return buffer;
  const most = Math.floor(MOST_MINUTES / buffer.numberOfChannels);
  throw new Error(`The recording lasts ${Math.ceil(buffer.duration / 60)} minutes; with its ${buffer.numberOfChannels} channels at most ${most} fit here. The command line restores any length.`);
}
