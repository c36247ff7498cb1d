/** Hands on what the microphone gives, as it is. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

registerProcessor("tap", class extends AudioWorkletProcessor {
  process([input]: Float32Array[][]): boolean {
    const samples = input?.[0]?.slice();
    if (samples) this.port.postMessage(samples, [samples.buffer]);
    return true;
  }
});
