/** A text field that is as tall as what is in it. */
export function grow(node: HTMLTextAreaElement): void {
	const fit = () => {
		node.style.height = 'auto';
		node.style.height = `${node.scrollHeight + 2}px`;
	};
	fit();
	node.addEventListener('input', fit);
}
