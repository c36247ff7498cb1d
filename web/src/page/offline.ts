/** What the service worker brings: the page without a network, its isolation, files from the share sheet. */

const SHARED = "hiresldm-shared", RELOADED = "hiresldm-reloaded";

/** Installs the service worker; a host that sends no isolation headers gets them from it, after one reload. */
export async function offline(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  await navigator.serviceWorker.register("./service-worker.js").catch(() => undefined);
  if (crossOriginIsolated || sessionStorage.getItem(RELOADED)) return;
  await navigator.serviceWorker.ready;
  sessionStorage.setItem(RELOADED, "1");
  location.reload();
}

/** A file that another app has shared with this one. */
export async function sharedFile(): Promise<File | undefined> {
  if (new URLSearchParams(location.search).get("shared") === null) return undefined;
  const cache = await caches.open(SHARED);
  const response = await cache.match("./shared-file");
  await cache.delete("./shared-file");
  if (!response) return undefined;
  const name = decodeURIComponent(response.headers.get("x-name") ?? "shared");
  return new File([await response.blob()], name);
}
