/** Draws a picture with the place that is being played. */
import type { Picture } from "./picture.ts";

const WAVE_SHARE = 0.32;
const WAVE = "#d9c9ff", PLACE = "#ffffff";

export class Drawing {
  private image: ImageBitmap | undefined;
  private picture: Picture | undefined;
  private place = 0;
  private peak = 1;

  /** `sought` is called with the share of the length that was clicked at. */
  constructor(private readonly canvas: HTMLCanvasElement, sought: (share: number) => void) {
    canvas.addEventListener("click", (event) => sought(event.offsetX / canvas.clientWidth));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Shows a picture; a sample of `peak` reaches the edge of the waveform. */
  async show(picture: Picture, peak: number): Promise<void> {
    this.peak = peak;
    this.image = await createImageBitmap(new ImageData(picture.pixels, picture.columns, picture.rows));
    this.picture = picture;
    this.draw();
  }

  /** Moves the line to a share of the length. */
  at(share: number): void {
    this.place = share;
    this.draw();
  }

  private draw(): void {
    const { canvas, picture, image } = this;
    const width = (canvas.width = canvas.clientWidth * devicePixelRatio);
    const height = (canvas.height = canvas.clientHeight * devicePixelRatio);
    const context = canvas.getContext("2d");
    if (!context || !picture || !image) return;
    const top = Math.round(height * WAVE_SHARE);
    context.drawImage(image, 0, top, width, height - top);
    this.drawPeaks(context, picture.peaks, width, top);
    context.fillStyle = PLACE;
    context.fillRect(Math.round(this.place * (width - 2)), 0, 2, height);
  }

  private drawPeaks(context: CanvasRenderingContext2D, peaks: Float32Array, width: number, height: number): void {
    const columns = peaks.length / 2;
    context.fillStyle = WAVE;
    for (let i = 0; i < columns; i++) {
      const [low, high] = [peaks[2 * i]!, peaks[2 * i + 1]!].map((value) => value / this.peak);
      const y = ((1 - high!) / 2) * height;
      context.fillRect((i * width) / columns, y, Math.max(1, width / columns), Math.max(1, ((high! - low!) / 2) * height));
    }
  }
}
