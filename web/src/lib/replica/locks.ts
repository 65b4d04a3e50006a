/**
 * Runs in one tab at a time, until `signal` ends it. Without Web Locks (a page on plain http from another
 * machine has none) every tab runs, which is slower and harmless.
 */
export async function asOnly(name: string, signal: AbortSignal, run: () => Promise<void>): Promise<void> {
	const locks = globalThis.navigator?.locks;
	if (!locks) return run();
	try {
		await locks.request(name, { signal }, run);
	} catch (thrown) {
		if (!signal.aborted) throw thrown;
	}
}

/** Runs while no other tab does the same; the others wait their turn. */
export async function oneAtATime<T>(name: string, run: () => Promise<T>): Promise<T> {
	const locks = globalThis.navigator?.locks;
	return locks ? await locks.request(name, run) : run();
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		else signal.addEventListener('abort', () => resolve(), { once: true });
	});
}
