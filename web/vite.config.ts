import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import { messages } from './plugins/messages/plugin.ts';

const server = process.env.MANA_DEV_SERVER ?? 'http://127.0.0.1:3050';
// core's PROGRAM_PATHS but for the socket's; a test of the server's router compares them.
const api = ['/ai', '/app', '/auth', '/health', '/internal', '/llm', '/metrics', '/modules', '/ready', '/sync', '/v1'];

export default defineConfig({
	plugins: [messages(), sveltekit()],
	server: {
		proxy: {
			...Object.fromEntries(api.map((path) => [path, { target: server }])),
			'/ws': { target: server, ws: true }
		}
	},
	// Svelte's client runtime in tests too: stores are tested as the browser runs them.
	resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined,
	test: {
		environment: './src/lib/testing/environment.ts',
		include: ['src/**/*.test.ts', 'plugins/**/*.test.ts'],
		setupFiles: ['src/lib/testing/setup.ts'],
		restoreMocks: true
	}
});
