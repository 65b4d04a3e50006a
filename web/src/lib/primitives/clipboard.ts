/** Puts a text on the clipboard, also on a page without the clipboard's own API (plain http); false where it fails. */
export async function copyText(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyBySelection(text);
	}
}

function copyBySelection(text: string): boolean {
	const before = document.activeElement as HTMLElement | null;
	const area = document.createElement('textarea');
	area.value = text;
	area.style.position = 'fixed';
	area.style.opacity = '0';
	document.body.append(area);
	area.select();
	try {
		// The only way to copy where a page has no leave for the clipboard.
		return document.execCommand('copy');
	} catch {
		return false;
	} finally {
		area.remove();
		before?.focus({ preventScroll: true });
	}
}
