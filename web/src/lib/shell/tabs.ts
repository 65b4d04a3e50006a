import { routeOf } from '$lib/features/records/modules.svelte';

/** The module with a tab of its own on a phone; the page “More” lists the others. */
export const TAB_MODULE = 'todo';

/** The addresses of a phone's tabs, without “More”. */
export function tabRoutes(): string[] {
	return ['/', routeOf(TAB_MODULE), '/companion/inbox', '/companion/missions'];
}
