import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
	preprocess: vitePreprocess(),
	kit: {
		// A single page answers every path: the router runs in the browser, the server embeds web/build and sends the
		// compressed files as they are.
		adapter: adapter({ pages: 'build', assets: 'build', fallback: 'index.html', precompress: true }),
		output: { bundleStrategy: 'split' },
		typescript: {
			config: (/** @type {{ include: string[] }} */ config) => {
				config.include.push('../plugins/**/*.ts');
			}
		},
		// The pages decide when a new version is taken over; nothing reloads by itself.
		version: { pollInterval: 0 }
	}
};
