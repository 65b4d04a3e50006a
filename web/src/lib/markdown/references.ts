/** Links of a Markdown text that name their address elsewhere in it: `[words][label]`, `[label][]` and `[label]`. */

/** A link with the address that it leads to. */
export interface NamedLink {
	text: string;
	address: string;
}

const LABEL = '\\[((?:[^\\[\\]\\\\]|\\\\.){1,999})\\]';

/** `[label]: address`, in quotes and lists too. */
const DEFINITION = new RegExp(
	`^(?:[ \\t]|>|[-+*][ \\t]|\\d{1,9}[.)][ \\t])*${LABEL}:[ \\t]*\\n?[ \\t]*(?:<([^<>\\n]*)>|([^\\s<]\\S*))`,
	'gm'
);

/** A link, and not `[words](address)` or a definition. */
const REFERENCE = new RegExp(`${LABEL}(?:\\[((?:[^\\[\\]\\\\]|\\\\.){0,999})\\])?(?![(:])`, 'g');

const nameOf = (label: string) => label.trim().replace(/\s+/g, ' ').toLowerCase().toUpperCase();

/** The reference links of a text, each with its true address. */
export function referenceLinks(text: string): NamedLink[] {
	if (!text.includes(']:')) return [];
	const addresses = new Map<string, string>();
	for (const [, label, bracketed, plain] of text.matchAll(DEFINITION)) {
		const name = nameOf(label!);
		// The first of a label counts.
		if (!addresses.has(name)) addresses.set(name, bracketed ?? plain ?? '');
	}
	const links: NamedLink[] = [];
	for (const [, words, label] of text.matchAll(REFERENCE)) {
		const address = addresses.get(nameOf(label || words!));
		if (address) links.push({ text: words!, address });
	}
	return links;
}

/** The reference links that a text has and the text before it had not, each once. */
export function newReferences(before: string, after: string): NamedLink[] {
	const name = ({ text, address }: NamedLink) => `${text}\n${address}`;
	const had = new Set(referenceLinks(before).map(name));
	const fresh = referenceLinks(after).filter((link) => !had.has(name(link)));
	return [...new Map(fresh.map((link) => [name(link), link])).values()];
}
