/** The computing thread as the page sees it: opened once, stopped at once, opened anew when needed. */
import { proxy, type Remote, wrap } from "comlink";
import type { Api } from "./worker.ts";

/** Thrown out of what `cancel` has stopped. */
export class Cancelled extends Error {}

/** More threads than this gain nothing on parts of this size. */
const MOST_THREADS = 4;

export class Engine {
  /** Threads need memory that is shared, which a browser gives only to isolated pages. */
  readonly threads = crossOriginIsolated ? Math.min(MOST_THREADS, asked() ?? navigator.hardwareConcurrency) : 1;
  private worker: Worker | undefined;
  private opened: Promise<Remote<Api>> | undefined;
  private stop: (reason: Error) => void = () => {};

  constructor(private readonly bundle: URL, private readonly progress: (share: number) => void) {}

  /** The thread with its bundle open; throws what the bundle is refused for. */
  open(): Promise<Remote<Api>> {
    this.opened ??= this.started().catch((error) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  /** Runs a task on the thread until it ends or `cancel` is called, which makes it throw Cancelled. */
  async run<T>(task: (api: Remote<Api>) => Promise<T>): Promise<T> {
    const stopped = new Promise<never>((_, reject) => (this.stop = reject));
    return Promise.race([this.open().then(task), stopped]);
  }

  /** Ends the thread, whatever it is at; what it was at is lost, what was loaded is kept on the device. */
  cancel(): void {
    this.worker?.terminate();
    this.opened = undefined;
    this.stop(new Cancelled());
  }

  private async started(): Promise<Remote<Api>> {
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const failed = new Promise<never>((_, reject) =>
      this.worker!.addEventListener("error", ({ message }) => reject(new Error(`the engine does not start: ${message}`))));
    const api = wrap<Api>(this.worker);
    await Promise.race([api.open(this.bundle.href, this.threads, proxy(this.progress)), failed]);
    return api;
  }
}

/** `?threads=1` asks for fewer, to measure. */
function asked(): number | undefined {
  const value = Number(new URLSearchParams(location.search).get("threads"));
  return Number.isInteger(value) && value > 0 ? value : undefined;
}
