let waiting = $state.raw<ServiceWorker | null>(null);
/** Another tab took the newer version over: this one's files are gone from the cache. */
let overtaken = $state(false);
let missing = $state(false);
let applying = false;

/**
 * A newer version of the app, which waits until the person takes it over, or until the last tab is closed: a reload by
 * itself could lose what is being typed.
 */
export const update = {
	get ready(): boolean {
		return overtaken || waiting !== null;
	},
	/** Something that is fetched when it is needed did not come: what was pressed shows nothing. */
	get missing(): boolean {
		return missing;
	},
	/** Take it over: every tab gets the new version at its next load, this one now. */
	apply(): void {
		if (overtaken || !waiting) return location.reload();
		applying = true;
		waiting.postMessage({ type: 'take-over' });
	}
};

/** Look out for new versions, and for parts of this one that don't come. */
export async function watchForUpdates(): Promise<void> {
	addEventListener('vite:preloadError', () => (missing = true));
	const workers = navigator.serviceWorker;
	if (!workers) return;
	workers.addEventListener('controllerchange', () => {
		if (applying) location.reload();
		else overtaken = true;
	});
	const registration = await workers.ready;
	waiting = registration.waiting;
	const follow = (installing: ServiceWorker | null) =>
		installing?.addEventListener('statechange', () => {
			if (installing.state === 'installed' && workers.controller) waiting = installing;
		});
	follow(registration.installing);
	registration.addEventListener('updatefound', () => follow(registration.installing));
	document.addEventListener('visibilitychange', () => {
		if (document.visibilityState === 'visible') void registration.update().catch(() => {});
	});
}
