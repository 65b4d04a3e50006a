import type { components } from '../api/schema';
import { currentTokens } from '../session.svelte';

/** A link that lets one person in; only the answer that makes it has the link. */
export type Invitation = components['schemas']['OpenInvitation'];
export type NewInvitation = components['schemas']['NewInvitation'];

const PATH = '/auth/invitations';

/** Those that nobody has used yet; first the one that ends first. */
export function invitations(): Promise<Invitation[]> {
	return currentTokens().request(PATH);
}

/** Make one that is good for some days. */
export function invite(days: number): Promise<NewInvitation> {
	return currentTokens().request(PATH, { method: 'POST', body: { days } });
}

/** Its link lets nobody in any more. */
export async function withdraw(id: string): Promise<void> {
	await currentTokens().request(`${PATH}/${encodeURIComponent(id)}`, { method: 'DELETE' });
}
