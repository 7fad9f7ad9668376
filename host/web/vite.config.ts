import { defineConfig } from "vite";

// Everything the page needs is in dist: it loads on a machine that reaches nothing but its node.
export default defineConfig({
  base: "/",
  build: { outDir: "dist", emptyOutDir: true, target: "es2022", modulePreload: false, assetsInlineLimit: 0 },
  server: { proxy: { "/api": "http://localhost:8080" } },
});
