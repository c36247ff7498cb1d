/** The components of a bundle on onnxruntime-web's WebAssembly engine. */
import * as ort from "onnxruntime-web/wasm";
import { COMPONENTS, Host, type Runner, type Runners, type Tensor } from "../host/host.ts";
import { type Artifact, type Load, type Manifest, pick } from "../host/manifest.ts";
import { Restorer } from "../host/restorer.ts";

/** Of the artifacts that it opens, the one that bundles have beside the other first. */
export const FORMATS = ["onnx", "ort"];

/**
 * The restorer of a bundle. Files are loaded one after another; `opened` hears the
 * share that is ready. More than one thread needs a page that is isolated from other origins.
 */
export async function open(
  manifest: Manifest, load: Load, threads: number, opened: (share: number) => void = () => {},
): Promise<Restorer> {
  ort.env.wasm.numThreads = threads;
  const runners: Record<string, Runner> = {};
  const chosen = COMPONENTS.map((name) => pick(manifest, name, FORMATS));
  for (const [i, artifact] of chosen.entries()) {
    runners[artifact.component] = await runner(artifact, load);
    opened((i + 1) / chosen.length);
  }
  return new Restorer(runners as Runners, new Host(manifest.host), sharedLengths(chosen));
}

async function runner(artifact: Artifact, load: Load): Promise<Runner> {
  const data = [];
  // Beside a file of ORT format lies only the list of operators that a minimal engine needs.
  const needed = artifact.format === "onnx" ? artifact.data : [];
  for (const file of needed) data.push({ path: file.path, data: new Uint8Array(await load(file)) });
  const session = await ort.InferenceSession.create(new Uint8Array(await load(artifact)), {
    executionProviders: ["wasm"],
    externalData: data,
    // What a chunk took is given back after it: the next one may be of another length.
    enableCpuMemArena: false,
    enableMemPattern: false,
  });
  return async (inputs) => {
    const feeds = Object.entries(inputs).map(([name, { data, shape }]) => [name, new ort.Tensor("float32", data, shape)]);
    const outputs = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(Object.entries(outputs).map(([name, made]) => [name, tensorOf(made)]));
  };
}

function tensorOf(made: ort.Tensor): Tensor {
  return { data: made.data as Float32Array, shape: made.dims };
}

/** The only numbers of frames that every artifact takes; empty: any. */
function sharedLengths(artifacts: readonly Artifact[]): readonly number[] {
  const fixed = artifacts.map((one) => one.enumerated_frames ?? []).filter((lengths) => lengths.length);
  return (fixed[0] ?? []).filter((length) => fixed.every((lengths) => lengths.includes(length)));
}
