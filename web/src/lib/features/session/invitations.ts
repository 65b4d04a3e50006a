import type { components } from '$lib/api/schema';
import { allPages, dataOf } from '$lib/api/client';
import { currentApi } from './session.svelte';

/** A link that lets one person in; only the answer that makes it has the link. */
export type Invitation = components['schemas']['OpenInvitation'];
export type NewInvitation = components['schemas']['NewInvitation'];

/** Invitations that nobody has used yet; first the one that ends first. */
export async function invitations(): Promise<Invitation[]> {
	return allPages(async (after) => {
		const page = await dataOf(currentApi().GET('/auth/invitations', { params: { query: { after } } }));
		return [page.invitations, page.next];
	});
}

/** Make one that is good for some days, listed under a name, for a role. */
export function invite(wish: components['schemas']['Invite']): Promise<NewInvitation> {
	return dataOf(currentApi().POST('/auth/invitations', { body: wish }));
}

/** Its link lets nobody in any more. */
export async function withdraw(id: string): Promise<void> {
	await dataOf(currentApi().DELETE('/auth/invitations/{id}', { params: { path: { id } } }));
}
