import 'fake-indexeddb/auto';
import { readFile } from 'node:fs/promises';
import { beforeAll } from 'vitest';
import { wasmModule } from '../core';
import { FakeLocks } from './locks';

// Browser features that the app uses and Node lacks.
const storage = new Map<string, string>();
Object.defineProperty(globalThis, 'navigator', {
	configurable: true,
	value: { locks: new FakeLocks(), language: 'en', onLine: true }
});
Object.defineProperty(globalThis, 'localStorage', {
	configurable: true,
	value: {
		getItem: (key: string) => storage.get(key) ?? null,
		setItem: (key: string, value: string) => void storage.set(key, value),
		removeItem: (key: string) => void storage.delete(key),
		clear: () => storage.clear()
	}
});

// The real core, from disk: `cargo xtask wasm` makes it.
beforeAll(async () => {
	await wasmModule(await readFile('src/lib/core/wasm/mana_core_wasm_bg.wasm'));
});
