/// <reference types="@sveltejs/kit" />
/// <reference no-default-lib="true"/>
/// <reference lib="esnext" />
/// <reference lib="webworker" />

import { build, files, version } from '$service-worker';

// The app's shell for a start without network: its own files and nothing else, never an answer of the server's API.
const worker = globalThis as unknown as ServiceWorkerGlobalScope;
const CACHE = `mana-shell-${version}`;
const SHELL = '/';
const assets = new Set([...build, ...files]);

worker.addEventListener('install', (event) => {
	event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([SHELL, ...assets].map((path) => fresh(path)))));
});

worker.addEventListener('activate', (event) => {
	event.waitUntil(
		caches
			.keys()
			.then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
	);
});

worker.addEventListener('message', (event) => {
	if ((event.data as { type?: string } | null)?.type === 'take-over') void worker.skipWaiting();
});

worker.addEventListener('fetch', (event) => {
	const { request } = event;
	const url = new URL(request.url);
	if (request.method !== 'GET' || url.origin !== worker.location.origin) return;
	if (assets.has(url.pathname)) event.respondWith(cachedOrFetched(url.pathname, request));
	else if (request.mode === 'navigate' && isPage(url.pathname)) event.respondWith(cachedOrFetched(SHELL, request));
});

/** Paths that the server answers itself when they are opened in the browser. */
function isPage(path: string): boolean {
	return !/^\/(auth|sync|ai|llm|v1|modules|app|health|ready|internal|metrics|ws)(\/|$)/.test(path);
}

/** Page and files come from one version: the shell names files by their hash. */
async function cachedOrFetched(path: string, request: Request): Promise<Response> {
	// Opening the cache would make it again on a device that was emptied.
	return (await caches.match(path, { cacheName: CACHE })) ?? fetch(request);
}

function fresh(path: string): Request {
	return new Request(path, { cache: 'reload' });
}
