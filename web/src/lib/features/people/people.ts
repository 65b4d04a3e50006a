import type { components } from '$lib/api/schema';
import { allPages, dataOf } from '$lib/api/client';
import { currentApi } from '$lib/features/session/session.svelte';
import { t, type PlainKey } from '$lib/i18n';

export type Person = components['schemas']['PersonView'];
export type PersonChange = components['schemas']['PersonChange'];
export type PersonLimits = components['schemas']['LimitsView'];
export type AuditEntry = components['schemas']['AuditView'];

/** The people of the server, and from when on everyone needs a second factor; empty where nobody does. */
export interface People {
	all: Person[];
	factorFrom: string;
}

/** All accounts of the server, the oldest first. */
export async function people(): Promise<People> {
	let factorFrom = '';
	const all = await allPages(async (after) => {
		const page = await dataOf(currentApi().GET('/auth/people', { params: { query: { after } } }));
		factorFrom = page.secondFactorFrom ?? '';
		return [page.people, page.next];
	});
	return { all, factorFrom };
}

/** Whether a person has to be asked for a second factor: an account without a password comes in by a provider. */
export const lacksFactor = (person: Person): boolean => person.hasPassword && !person.secondFactorSince;

/** Asks everyone for a second factor from a time on; null: a password alone is enough. */
export async function setFactorRule(from: Date | null): Promise<void> {
	await dataOf(currentApi().PUT('/auth/second-factor-rule', { body: { from: from?.toISOString() ?? null } }));
}

/** Asks a person to add a second factor. */
export async function askForFactor(id: string): Promise<void> {
	await dataOf(currentApi().POST('/auth/people/{id}/second-factor-request', { params: { path: { id } } }));
}

/** Changes role, lock or limits of an account. */
export async function changePerson(id: string, change: PersonChange): Promise<void> {
	await dataOf(currentApi().PATCH('/auth/people/{id}', { params: { path: { id } }, body: change }));
}

/** Deletes an account with everything that belongs to it. */
export async function deletePerson(id: string): Promise<void> {
	await dataOf(currentApi().DELETE('/auth/people/{id}', { params: { path: { id } } }));
}

/** A page of the audit log, the newest entries first. */
export async function audit(before?: number): Promise<components['schemas']['AuditPage']> {
	return dataOf(currentApi().GET('/auth/audit', { params: { query: { before } } }));
}

/** How a person is called where a name is needed: the name, else the address, else the id. */
export function calledName(person: { id: string; name: string; email?: string }): string {
	return person.name || person.email || person.id;
}

/** The sentence of an event of the audit log; an event of a later server has its own word alone. */
export function eventKey(event: string): PlainKey | null {
	return EVENTS[event] ?? null;
}

const EVENTS: Record<string, PlainKey> = {
	'sign-in': 'audit.signIn',
	'sign-in-failed': 'audit.signInFailed',
	'sign-in-locked': 'audit.signInLocked',
	'code-failed': 'audit.codeFailed',
	'second-step-closed': 'audit.secondStepClosed',
	'recovery-code-used': 'audit.recoveryCodeUsed',
	'session-ended': 'audit.sessionEnded',
	'session-replayed': 'audit.sessionReplayed',
	'account-made': 'audit.accountMade',
	'invitation-failed': 'audit.invitationFailed',
	'password-changed': 'audit.passwordChanged',
	'password-reset': 'audit.passwordReset',
	'reset-failed': 'audit.resetFailed',
	'reset-link-made': 'audit.resetLinkMade',
	'reset-mail-sent': 'audit.resetMailSent',
	'address-changed': 'audit.addressChanged',
	'factor-added': 'audit.factorAdded',
	'factor-removed': 'audit.factorRemoved',
	'recovery-codes-made': 'audit.recoveryCodesMade',
	'factor-asked-for': 'audit.factorAskedFor',
	'factor-rule-changed': 'audit.factorRuleChanged',
	'identity-joined': 'audit.identityJoined',
	'identity-removed': 'audit.identityRemoved',
	'provider-refused': 'audit.providerRefused',
	'invitation-made': 'audit.invitationMade',
	'invitation-withdrawn': 'audit.invitationWithdrawn',
	'account-locked': 'audit.accountLocked',
	'account-opened': 'audit.accountOpened',
	'role-changed': 'audit.roleChanged',
	'limits-changed': 'audit.limitsChanged',
	'account-deleted': 'audit.accountDeleted',
	'key-made': 'audit.keyMade',
	'key-changed': 'audit.keyChanged',
	'key-removed': 'audit.keyRemoved',
	'key-used': 'audit.keyUsed',
	'models-changed': 'audit.modelsChanged'
};

/** The words of an entry's detail that have a message of their own; devices, addresses and times stay. */
const DETAILS: Record<string, PlainKey> = {
	owner: 'people.owner',
	member: 'people.member',
	password: 'session.byPassword',
	code: 'session.byCode',
	'recovery-code': 'session.byRecoveryCode',
	oidc: 'session.byProvider',
	app: 'people.codeApp'
};

/** The detail of an entry, in the reader's language. */
export function detailText(detail: string): string {
	const words = detail.split(', ').map((word) => {
		const key = DETAILS[word];
		return key ? t(key) : word;
	});
	return words.join(', ');
}
