/** NumPy's `.npz`: a ZIP of arrays, as far as golden vectors use it (int16, float16, float32; rows first). */
import { IntegrityError } from "./manifest.ts";

const END = 0x06054b50, ENTRY = 0x02014b50;

/** The arrays by name, as doubles in rows. */
export async function readNpz(bytes: ArrayBuffer): Promise<Map<string, Float64Array>> {
  const view = new DataView(bytes);
  const arrays = new Map<string, Float64Array>();
  let at = view.getUint32(endOf(view) + 16, true);
  while (at + 46 <= view.byteLength && view.getUint32(at, true) === ENTRY) {
    const [nameLength, extraLength, noteLength] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const name = new TextDecoder().decode(new Uint8Array(bytes, at + 46, nameLength!));
    arrays.set(name.replace(/\.npy$/, ""), numbersOf(await unpacked(view, at)));
    at += 46 + nameLength! + extraLength! + noteLength!;
  }
  return arrays;
}

function endOf(view: DataView): number {
  for (let at = view.byteLength - 22; at >= 0; at--) if (view.getUint32(at, true) === END) return at;
  throw new IntegrityError("the golden vectors are no ZIP archive");
}

/** The content of the entry that the directory describes at this place. */
async function unpacked(view: DataView<ArrayBuffer>, at: number): Promise<ArrayBuffer> {
  const local = view.getUint32(at + 42, true);
  const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const packed = view.buffer.slice(begin, begin + view.getUint32(at + 20, true));
  if (view.getUint16(at + 10, true) === 0) return packed;
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
}

/** The values of a `.npy`. */
function numbersOf(bytes: ArrayBuffer): Float64Array {
  const view = new DataView(bytes);
  const begin = 10 + view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(bytes, 10, begin - 10));
  const kind = /'descr': '<(i2|f2|f4)'/.exec(header)?.[1];
  if (!kind || header.includes("'fortran_order': True")) throw new IntegrityError(`the golden vectors hold ${header}`);
  const size = Number(kind[1]);
  return Float64Array.from({ length: (bytes.byteLength - begin) / size }, (_, i) => numberAt(view, begin + i * size, kind));
}

function numberAt(view: DataView, at: number, kind: string): number {
  if (kind === "i2") return view.getInt16(at, true);
  return kind === "f4" ? view.getFloat32(at, true) : halfOf(view.getUint16(at, true));
}

function halfOf(bits: number): number {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}
