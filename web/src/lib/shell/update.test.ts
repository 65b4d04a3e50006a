import { afterEach, beforeEach, expect, it, vi } from 'vitest';

class FakeWorker extends EventTarget {
	state = 'installing';
	readonly postMessage = vi.fn();
	becomes(state: string): void {
		this.state = state;
		this.dispatchEvent(new Event('statechange'));
	}
}

const reload = vi.fn();
let workers: EventTarget & { ready: Promise<unknown>; controller: object | null };
let registration: EventTarget & { waiting: FakeWorker | null; installing: FakeWorker | null };
let page: EventTarget;

/** The module as a new page has it. */
async function open() {
	vi.resetModules();
	const { update, watchForUpdates } = await import('./update.svelte');
	await watchForUpdates();
	return update;
}

beforeEach(() => {
	reload.mockClear();
	page = new EventTarget();
	registration = Object.assign(new EventTarget(), { waiting: null, installing: null });
	workers = Object.assign(new EventTarget(), { ready: Promise.resolve(registration), controller: {} });
	vi.stubGlobal('navigator', { serviceWorker: workers });
	vi.stubGlobal('location', { reload });
	vi.stubGlobal('document', new EventTarget());
	vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
});
afterEach(() => vi.unstubAllGlobals());

it('a newer version waits until it is taken, and loads then', async () => {
	const worker = new FakeWorker();
	registration.installing = worker;
	const update = await open();
	expect(update.ready).toBe(false);
	worker.becomes('installed');
	expect(update.ready).toBe(true);
	expect(reload).not.toHaveBeenCalled();
	update.apply();
	expect(worker.postMessage).toHaveBeenCalledWith({ type: 'take-over' });
	workers.dispatchEvent(new Event('controllerchange'));
	expect(reload).toHaveBeenCalledOnce();
});

it('a version that another tab took over is offered here, not forced on what is being typed', async () => {
	const update = await open();
	workers.dispatchEvent(new Event('controllerchange'));
	expect(reload).not.toHaveBeenCalled();
	expect(update.ready).toBe(true);
	update.apply();
	expect(reload).toHaveBeenCalledOnce();
});

it('a part that could not be fetched is said', async () => {
	const update = await open();
	expect(update.missing).toBe(false);
	page.dispatchEvent(new Event('vite:preloadError'));
	expect(update.missing).toBe(true);
});
