/** A link that is safe to follow. */
export interface SafeLink {
	/** The whole address. A path alone could be read as another host. */
	href: string;
	/** Whether the link leaves this origin, and so opens in a tab of its own. */
	external: boolean;
}

const SCHEME = /^\s*[a-z][a-z0-9+.-]*:/i;
const SAFE_SCHEMES = new Set(['http:', 'https:', 'mailto:']);

/**
 * The link behind an address, judged by the origin that the browser would parse: http, https, mailto, and paths of this
 * origin. Null for every other address, such as `javascript:…`, `//host` or `/\host`; it is shown as text.
 */
export function safeLink(address: string, origin: string): SafeLink | null {
	let url: URL;
	try {
		url = new URL(address, origin);
	} catch {
		return null;
	}
	if (!SAFE_SCHEMES.has(url.protocol)) return null;
	const external = url.origin !== origin;
	if (!SCHEME.test(address) && (external || !address.startsWith('/'))) return null;
	return { href: url.href, external };
}

/** An address that says plainly to which host it leads. */
const PLAIN = /^https?:\/\/([a-z0-9.-]+)(?::\d+)?(?:[/?#]|$)/i;

/**
 * The host that an address leads to, by the browser's own reading, where the address does not say it plainly: behind an
 * `@`, with backslashes, in letters of other scripts, percent-encoded, or without a scheme. Null for plain addresses,
 * paths of this origin and other schemes.
 */
export function unclearHost(address: string, origin: string): string | null {
	let url: URL;
	try {
		url = new URL(address, origin);
	} catch {
		return null;
	}
	if (!/^https?:$/.test(url.protocol) || (url.origin === origin && !SCHEME.test(address))) return null;
	return PLAIN.exec(address)?.[1]?.toLowerCase() === url.hostname ? null : url.hostname;
}

const bare = (address: string) =>
	address
		.trim()
		.replace(/^(?:https?:\/\/|mailto:)/i, '')
		.replace(/\/$/, '')
		.toLowerCase();

/**
 * Whether the words of a link read like an address, and are another one than it leads to: the true one is then said
 * beside them. `always`: of a picture, which would show nothing of its address.
 */
export function tellsAnother(words: string, address: string, always = false): boolean {
	const shown = words.normalize('NFKC').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '');
	return (always || ADDRESS.test(shown)) && bare(words) !== bare(address);
}

/** Words that read like an address: with a dot within them, also one of another script, or a scheme. */
const ADDRESS = /[\p{L}\p{N}-][.。․][\p{L}\p{N}-]{2}|:\/\//u;
