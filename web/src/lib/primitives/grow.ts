/** Makes a text field as tall as its text, and at least `least` pixels tall. */
export function grow(node: HTMLTextAreaElement, least = 0): void {
	const fit = () => {
		node.style.height = 'auto';
		node.style.height = `${Math.max(least, node.scrollHeight + 2)}px`;
	};
	fit();
	node.addEventListener('input', fit);
}
