/** The waiting times after failures: doubling from a second to a minute, with jitter so that devices spread out. */
export class Backoff {
	#failures = 0;

	constructor(
		readonly random: () => number = Math.random,
		readonly firstMs = 1_000,
		readonly longestMs = 60_000
	) {}

	/** The wait after one more failure; a server's Retry-After is kept at least. */
	next(atLeastMs = 0): number {
		const ceiling = Math.min(this.longestMs, this.firstMs * 2 ** this.#failures);
		this.#failures++;
		return Math.max(atLeastMs, ceiling * (0.5 + this.random() / 2));
	}

	reset(): void {
		this.#failures = 0;
	}
}
