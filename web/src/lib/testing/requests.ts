/** The path and query of a request, as a faked `fetch` tells routes apart. */
export function pathOf(request: Request): string {
	const { pathname, search } = new URL(request.url);
	return pathname + search;
}
