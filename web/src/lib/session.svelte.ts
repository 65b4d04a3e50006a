/** Who is at this browser. */
export interface Profile {
	userId: string;
	email: string;
	name: string | null;
	timezone: string;
	locale: string;
	role: string;
}
export interface NewAccount {
	email: string;
	password: string;
	name?: string;
	invite?: string;
}
export const session: { user: Profile | null; status: 'unknown' | 'in' | 'out'; expired: boolean } = $state({
	user: null,
	status: 'unknown',
	expired: false
});
export async function signIn(email: string, password: string): Promise<void> { void email; void password; }
export async function signUp(account: NewAccount): Promise<void> { void account; }
export async function finishSetup(token: string, account: NewAccount): Promise<void> { await signUp({ ...account, invite: token }); }
export async function signOut(): Promise<void> {}
