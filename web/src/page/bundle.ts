/** The bundle beside the page; what was verified is kept, for times without a network. */
import { type File, IntegrityError, type Manifest, parseManifest, verified } from "../host/manifest.ts";

const CACHE = "hiresldm-bundle";
const MANIFEST = "bundle.json";

/** The manifest, from the network where there is one. */
export async function manifestOf(root: URL): Promise<Manifest> {
  if (!isSecureContext) throw new Error("Browsers give this page what it needs by https or at localhost alone; open it there.");
  const url = new URL(MANIFEST, root);
  const cache = await caches.open(CACHE);
  const text = await (await answer(url, MANIFEST).catch(async (error) => await cache.match(url) ?? reject(error))).text();
  const manifest = await parseManifest(text);
  await keep(cache, url, text);
  return manifest;
}

/** The bytes of a listed file, kept or from the network. */
export async function load(root: URL, file: File): Promise<ArrayBuffer> {
  const url = new URL(file.path, root);
  const cache = await caches.open(CACHE);
  const kept = await cache.match(url);
  if (kept) return verified(file, await kept.arrayBuffer());
  const bytes = await verified(file, await (await answer(url, file.path)).arrayBuffer());
  await keep(cache, url, bytes);
  return bytes;
}

/** Forgets what other bundles have left. */
export async function tidy(root: URL, manifest: Manifest): Promise<void> {
  const listed = manifest.artifacts.flatMap((one) => [one.path, ...one.data.map((file) => file.path)]);
  const urls = new Set([MANIFEST, manifest.golden?.path ?? "", ...listed].map((path) => new URL(path, root).href));
  const cache = await caches.open(CACHE);
  for (const request of await cache.keys()) if (!urls.has(request.url)) await cache.delete(request);
}

async function answer(url: URL, path: string): Promise<Response> {
  const response = await fetch(url, { cache: "no-cache" }).catch(() => null);
  if (response?.ok) return response;
  throw new IntegrityError(response ? `${path} is missing beside this page` : `${path} cannot be loaded: no network`);
}

/** A full device keeps nothing; the page then needs its network. */
async function keep(cache: Cache, url: URL, content: BodyInit): Promise<void> {
  await cache.put(url, new Response(content)).catch(() => undefined);
}

function reject(error: unknown): never {
  throw error;
}
