/** Keeps the page for times without a network, isolates it, and takes what other apps share. */

const worker = self as unknown as ServiceWorkerGlobalScope;
/** Of the page as it was built; the build puts them in place of this name. */
declare const BUILT: { readonly version: string; readonly files: readonly string[] };
const CACHE = `hiresldm-page-${BUILT.version}`;
const PAGES = /^hiresldm-page-/;

worker.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(BUILT.files)).then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(tidied().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method === "POST" && url.pathname.endsWith("/share")) event.respondWith(taken(request));
  else if (request.method === "GET" && url.origin === location.origin && !url.pathname.includes("/bundle/")) {
    event.respondWith(answer(request));
  }
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: request.mode === "navigate" });
  return isolated(kept ?? (await fetch(request)));
}

/** The response with the headers that shared memory, and so threads, need. */
function isolated(response: Response): Response {
  if (!response.ok) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, headers });
}

/** Puts a shared file where the page finds it. */
async function taken(request: Request): Promise<Response> {
  const file = (await request.formData()).get("recording");
  if (file instanceof File) {
    const cache = await caches.open("hiresldm-shared");
    const headers = { "x-name": encodeURIComponent(file.name) };
    await cache.put(new URL("./shared-file", worker.registration.scope), new Response(file, { headers }));
  }
  return Response.redirect(new URL("./?shared", worker.registration.scope).href, 303);
}

async function tidied(): Promise<void> {
  for (const name of await caches.keys()) if (PAGES.test(name) && name !== CACHE) await caches.delete(name);
}
