import { defineConfig } from "vite";

// Every address is relative, so that the page works under any path prefix. Nothing is inlined: the policy of the
// page (Content-Security-Policy) allows files of its own origin only.
export default defineConfig({
	base: "./",
	esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
	build: {
		target: "es2022",
		assetsInlineLimit: 0,
		cssCodeSplit: false,
		modulePreload: false,
		sourcemap: false,
		reportCompressedSize: false,
		emptyOutDir: true,
	},
});
