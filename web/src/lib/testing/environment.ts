import type { Environment } from 'vitest/runtime';

/** Node, with Svelte compiled as for the browser: runes are live in tests. */
export default {
	name: 'node-with-client-svelte',
	viteEnvironment: 'client',
	setup(global) {
		(global as { self?: unknown }).self = global;
		return { teardown() {} };
	}
} satisfies Environment;
