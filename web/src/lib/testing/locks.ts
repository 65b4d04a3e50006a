/** Web Locks for Node, as far as the app uses them: exclusive, first come first served, given up by a signal. */
export class FakeLocks {
	readonly #tails = new Map<string, Promise<unknown>>();

	request<T>(name: string, ...rest: unknown[]): Promise<T> {
		const run = rest.at(-1) as () => Promise<T>;
		const { signal } = (rest.length > 1 ? rest[0] : {}) as { signal?: AbortSignal };
		const before = this.#tails.get(name) ?? Promise.resolve();
		const mine = before.then(() => {
			signal?.throwIfAborted();
			return run();
		});
		this.#tails.set(
			name,
			mine.catch(() => {})
		);
		if (!signal) return mine;
		let held = false;
		void before.then(() => (held = true));
		return new Promise((resolve, reject) => {
			signal.addEventListener('abort', () => !held && reject(signal.reason as Error), { once: true });
			mine.then(resolve, reject);
		});
	}
}
