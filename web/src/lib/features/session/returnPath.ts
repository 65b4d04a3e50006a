/**
 * The path to go to after a sign-in, from the `next` parameter of an address. An address of another origin, or none,
 * is the first page: the browser's own parser decides, because `/\\evil.com` and `//evil.com` only look like paths.
 */
export function returnPath(next: string | null, origin: string = location.origin): string {
	if (!next || !URL.canParse(next, origin)) return '/';
	const url = new URL(next, origin);
	if (url.origin !== origin) return '/';
	return url.pathname.replace(/^\/+/, '/') + url.search + url.hash;
}
