/** Hex digest of bytes. Web Crypto is there only on https and on the loopback address. */
export async function sha256Of(bytes: BufferSource): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new Error("this page was not loaded safely, so files cannot be verified; open it by https or as localhost");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
