/** A text that follows what is typed after a pause, so that a search doesn't run at every key. */
export class DebouncedText {
	/** The text that was typed last before a pause. */
	current = $state('');
	#typed = '';
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(readonly pauseMs = 100) {}

	/** Follow a text after the pause; an empty one at once. */
	type(text: string): void {
		this.#typed = text;
		clearTimeout(this.#timer);
		if (text) this.#timer = setTimeout(() => this.settle(), this.pauseMs);
		else this.settle();
	}

	/** Take over what was typed without waiting: before it is acted on. */
	settle(): void {
		clearTimeout(this.#timer);
		this.current = this.#typed;
	}
}
