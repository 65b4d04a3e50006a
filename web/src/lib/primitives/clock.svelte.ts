/** The minute that the page is drawn in. Reading `clock.now` makes a text move with the time. */
let now = $state(new Date());

function later(): void {
	const rest = 60_000 - (Date.now() % 60_000);
	setTimeout(() => {
		now = new Date();
		later();
	}, rest + 20);
}

if (typeof window !== 'undefined') {
	later();
	// A laptop that slept, a tab that was in the background: the hour is wrong until looked at.
	document.addEventListener('visibilitychange', () => {
		if (!document.hidden) now = new Date();
	});
}

export const clock = {
	get now(): Date {
		return now;
	}
};
