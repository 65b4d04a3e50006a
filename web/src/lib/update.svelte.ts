let waiting = $state.raw<ServiceWorker | null>(null);
let applying = false;

/**
 * A newer version of the app. It waits until the person takes it over, or until the last tab is closed: a reload by
 * itself could lose what is being typed.
 */
export const update = {
	get ready(): boolean {
		return waiting !== null;
	},
	/** Take it over: every tab gets the new version at its next load, this one now. */
	apply(): void {
		applying = true;
		waiting?.postMessage({ type: 'take-over' });
	}
};

/** Look out for new versions. */
export async function watchForUpdates(): Promise<void> {
	const workers = navigator.serviceWorker;
	if (!workers) return;
	workers.addEventListener('controllerchange', () => {
		if (applying) location.reload();
	});
	const registration = await workers.ready;
	waiting = registration.waiting;
	registration.addEventListener('updatefound', () => {
		const installing = registration.installing;
		installing?.addEventListener('statechange', () => {
			if (installing.state === 'installed' && workers.controller) waiting = installing;
		});
	});
	document.addEventListener('visibilitychange', () => {
		if (document.visibilityState === 'visible') void registration.update().catch(() => {});
	});
}
