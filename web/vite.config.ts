import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { defineConfig, type Plugin } from "vite";

const BUNDLE = "../weights/edge";
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  base: "./",
  // The engine's WebAssembly stays a file of its own: threads load it again.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
  worker: { format: "es" },
  server: { headers: ISOLATION },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { index: "index.html", "service-worker": "src/service-worker.ts" },
      output: {
        entryFileNames: ({ name }) => (name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
  plugins: [bundleBesideThePage(), filesForTheServiceWorker(), sumsOfTheSources()],
});

/** While developing, the embedded bundle lies beside the page. */
function bundleBesideThePage(): Plugin {
  return {
    name: "bundle",
    configureServer(server) {
      server.middlewares.use("/bundle/", (request, response) => {
        const path = join(BUNDLE, normalize(`/${request.url?.split("?")[0]}`));
        if (!statSync(path, { throwIfNoEntry: false })?.isFile()) response.writeHead(404).end();
        else createReadStream(path).pipe(response);
      });
    },
  };
}

/** Tells the service worker which files make the page, and a version that changes with any of them. */
function filesForTheServiceWorker(): Plugin {
  return {
    name: "files",
    generateBundle(_, bundle) {
      const worker = bundle["service-worker.js"];
      if (worker?.type !== "chunk") return;
      const fixed = readdirSync("public");
      const files = ["./", ...fixed, ...Object.keys(bundle).filter((name) => name !== "service-worker.js" && name !== "index.html")].sort();
      const digest = createHash("sha256").update(JSON.stringify(files)).update(worker.code);
      for (const name of ["index.html", ...fixed.map((name) => `public/${name}`)]) digest.update(readFileSync(name));
      const built = JSON.stringify({ version: digest.digest("hex").slice(0, 12), files });
      worker.code = `const BUILT = ${built};\n${worker.code}`;
    },
  };
}

/** Says what the page was made from, as sha256sum does: the built page is part of the repository. */
function sumsOfTheSources(): Plugin {
  const kept = ["index.html", "package-lock.json", "vite.config.ts", "public", "src"];
  return {
    name: "sums",
    generateBundle() {
      const files = kept.flatMap((name) => statSync(name).isDirectory()
        ? readdirSync(name, { recursive: true, encoding: "utf8" }).map((inner) => join(name, inner)) : [name]);
      const lines = files.filter((name) => statSync(name).isFile()).sort().map((name) =>
        `${createHash("sha256").update(readFileSync(name)).digest("hex")}  ${name}\n`);
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: lines.join("") });
    },
  };
}
