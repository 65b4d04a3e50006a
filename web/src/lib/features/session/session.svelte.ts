import { dataOf, publicApi, type Api } from '$lib/api/client';
import { ApiError, OfflineError } from '$lib/api/errors';
import type { components } from '$lib/api/schema';
import { asManaError, ManaError } from '$lib/core/errors';
import type { Manifest } from '$lib/core/types';
import { SessionEnded, TokenHolder, type TokenAnswer } from '$lib/api/token';
import { currentReplica, setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { i18n, useAccountLocale } from '$lib/i18n';
import { showModules } from '$lib/features/records/modules.svelte';
import { resetStatus } from '$lib/replica/status.svelte';

/** The version of the data's shape that this app reads, as in `crates/core/src/sync/push.rs`. */
const SCHEMA_VERSION = 3;

const loadManifests = (holder: TokenHolder): Promise<Manifest[]> =>
	dataOf(holder.api.GET('/modules', { params: { header: { 'X-Schema-Version': SCHEMA_VERSION } } }));

/** The person at this browser. */
export type Profile = components['schemas']['Me'];

/** The fields of a new account. Time zone and language are the browser's. */
export interface NewAccount {
	email: string;
	password: string;
	name?: string;
	invite?: string;
}

/**
 * `in`: the local database is open and everything works, with or without the network. `factor`: the person is signed in
 * and has yet to add the second factor that everyone on this server needs; no database is open. `failed`: the start did
 * not get that far; `startError` says why, and `retryStart` tries again.
 */
export type SessionStatus = 'unknown' | 'in' | 'out' | 'factor' | 'failed';

/** The database and what runs beside it. The sign-in form is shown without them, so they are loaded when needed. */
export interface Background {
	openReplica: (userId: string, loadManifests: () => Promise<Manifest[]>) => Promise<Replica>;
	/** Copies what this browser holds of one account into the database of another. */
	adoptReplica: (from: string, to: string) => Promise<void>;
	/** Starts sync, staging and the mission tick. Returns the function that stops them. */
	startBackground: (replica: Replica, tokens: TokenHolder, onSessionEnded: () => void) => () => void;
}

/**
 * `expired`: the server ended the session; what is on this device is kept until the same person signs in again. Where
 * that happens while someone works (`status` stays `in`) the page stays as it is, with all that is being typed.
 */
export const session: {
	user: Profile | null;
	status: SessionStatus;
	expired: boolean;
	/** The account that was here was deleted a moment ago. */
	deleted?: boolean;
	/** The owner's account was made by the setup link a moment ago: its page goes on with what comes next. */
	justSetUp?: boolean;
	startError: ManaError | null;
} = $state({ user: null, status: 'unknown', expired: false, startError: null });

/** Only the profile is kept in localStorage, never a token. */
const PROFILE_KEY = 'mana.user';
/** A sign-out without network: the server hears of it at the next start, before anything else. */
const LOGOUT_KEY = 'mana.logout-pending';
/** Its value where the device is to be emptied. */
const EMPTY = 'empty';

let loadBackground: (() => Promise<Background>) | null = null;
let tokens: TokenHolder | null = null;
let stopRunning = () => {};
/** Where a session ended in the midst of work: how it continues when the same person signs in again. */
let resumeSession: ((profile: Profile, answer: TokenAnswer) => void) | null = null;

/** The server's routes, as the person who is signed in. */
export function currentApi(): Api {
	return currentTokens().api;
}

/** The token of the person who is signed in. */
export function currentTokens(): TokenHolder {
	if (!tokens || session.expired) throw new SessionEnded();
	return tokens;
}

/** Runs changes of the session in turn: two at once would leave two databases open. */
let turn: Promise<void> = Promise.resolve();
function inTurn(change: () => Promise<void>): Promise<void> {
	const mine = turn.then(change);
	turn = mine.catch(() => {});
	return mine;
}

/** Says how the database and what runs beside it are loaded; the shell does so before the session starts. */
export function useBackground(load: () => Promise<Background>): void {
	loadBackground = load;
}

/** Called once when the app starts. The person who was here last goes on at once; the server is asked meanwhile. */
export function startSession(): Promise<void> {
	addEventListener('storage', otherTabChanged);
	return inTurn(start);
}

/** Start again after a failure. */
export function retryStart(): Promise<void> {
	return inTurn(start);
}

async function start(): Promise<void> {
	session.startError = null;
	try {
		await finishLogout();
		const known = storedProfile();
		if (known && (await enter(known, null))) void greet(known.userId);
		else await renew();
	} catch (thrown) {
		leave(false);
		if (meansSignIn(thrown)) return;
		console.error('the app could not start', thrown);
		session.startError = asManaError(thrown);
		session.status = 'failed';
	}
}

/** Without network or without a valid cookie the sign-in form is the answer; every other error is a failed start. */
function meansSignIn(thrown: unknown): boolean {
	if (thrown instanceof OfflineError || thrown instanceof SessionEnded) return true;
	return thrown instanceof ApiError && (thrown.status === 401 || thrown.status === 403);
}

/** Sign in. Throws with the server's reason. */
export function signIn(email: string, password: string): Promise<void> {
	return inTurn(async () => {
		await finishLogout();
		await welcome(await dataOf(publicApi.POST('/auth/login', { body: { email, password } })));
	});
}

/** The second step of a sign-in, by the challenge of the first. Throws with the server's reason. */
export function signInByCode(
	challenge: string,
	proof: { code: string } | { recoveryCode: string },
	trustDevice: boolean
): Promise<void> {
	return inTurn(async () => {
		await welcome(await dataOf(publicApi.POST('/auth/login/code', { body: { challenge, trustDevice, ...proof } })));
	});
}

/** The session cookie is there: somebody came back from a provider. Throws with the server's reason. */
export function signInByCookie(): Promise<void> {
	return inTurn(renew);
}

/** The account is another one than this device knew: the server's answer to a change of it. */
export function profileChanged(profile: Profile): void {
	if (session.user?.userId !== profile.userId) return;
	session.user = profile;
	localStorage.setItem(PROFILE_KEY, JSON.stringify(profile));
}

/** Make an account and sign in. */
export function signUp(account: NewAccount, bring?: Profile): Promise<void> {
	return inTurn(async () => {
		await finishLogout();
		const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
		const body = { ...account, timezone, locale: i18n.locale };
		await welcome(await dataOf(publicApi.POST('/auth/signup', { body })), bring);
	});
}

/**
 * The first account, with the token of the link that the first start prints. `bring`: the account of which this browser
 * holds records that an earlier server at this address had.
 */
export async function finishSetup(token: string, account: NewAccount, bring?: Profile): Promise<void> {
	session.justSetUp = true;
	try {
		await signUp({ ...account, invite: token }, bring);
	} catch (thrown) {
		session.justSetUp = false;
		throw thrown;
	}
}

/** Leaves the page of the setup link. */
export function setupDone(): void {
	session.justSetUp = false;
}

/** The person who was at this browser last. */
export function lastProfile(): Profile | null {
	return storedProfile();
}

/** Whether the server has no account at all: a new one, or one that has lost everything. */
export async function serverIsEmpty(): Promise<boolean> {
	try {
		return !(await dataOf(publicApi.GET('/app/info'))).hasOwner;
	} catch {
		return false; // The page that needs the server says what is the matter.
	}
}

/**
 * Close this person's database in every tab, and end the session on the server. `empty`: nothing stays on this device;
 * what was not sent is lost with it.
 */
export function signOut({ empty = false } = {}): Promise<void> {
	return inTurn(async () => {
		localStorage.setItem(LOGOUT_KEY, empty ? EMPTY : '1');
		localStorage.removeItem(PROFILE_KEY);
		leave(false);
		if (empty) await emptyDevice();
		await finishLogout().catch(() => {
			// no network: the mark stays, and the next start does it first
		});
	});
}

/** The account is gone from the server: nothing of it stays on this device. */
export function accountDeleted(): Promise<void> {
	return inTurn(async () => {
		localStorage.removeItem(PROFILE_KEY);
		session.deleted = true;
		leave(false);
		await emptyDevice();
	});
}

/**
 * Removes everything that the app keeps at this browser, but the mark of a sign-out that the server has yet to hear
 * of. The server's `Clear-Site-Data` does the same where the connection is secure.
 */
async function emptyDevice(): Promise<void> {
	const mark = localStorage.getItem(LOGOUT_KEY);
	localStorage.clear();
	if (mark) localStorage.setItem(LOGOUT_KEY, mark);
	sessionStorage.clear();
	const names = (await indexedDB.databases()).map(({ name }) => name ?? '');
	await Promise.all(names.filter((name) => name.startsWith('mana-')).map(removeDatabase));
	if (typeof caches === 'undefined') return;
	await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
}

/** Waits until the last tab has closed the database: each hears that the person signed out. */
function removeDatabase(name: string): Promise<void> {
	return new Promise((done, fail) => {
		const request = indexedDB.deleteDatabase(name);
		request.onsuccess = () => done();
		request.onerror = () => fail(request.error ?? new Error(`${name} could not be removed`));
	});
}

/** From the cookie alone: who is it? */
async function renew(): Promise<void> {
	await welcome(await dataOf(publicApi.POST('/auth/refresh')));
}

/** With a token in hand: ask for the profile and open the database. */
async function welcome(answer: TokenAnswer, bring?: Profile): Promise<void> {
	const headers = { authorization: `Bearer ${answer.token}` };
	const profile = await dataOf(publicApi.GET('/auth/me', { headers }));
	if (!resumeSession && needsFactor(profile)) return waitForFactor(profile, answer);
	if (bring && bring.userId !== profile.userId)
		await (await loadBackground?.())?.adoptReplica(bring.userId, profile.userId);
	localStorage.setItem(PROFILE_KEY, JSON.stringify(profile));
	useAccountLocale(profile.locale);
	if (resumeSession && session.user?.userId === profile.userId) resumeSession(profile, answer);
	else {
		try {
			await enter(profile, answer);
		} catch (thrown) {
			// This device's clock is behind, or the time came a moment ago.
			if ((thrown as { code?: string }).code !== 'second_factor_required') throw thrown;
			localStorage.removeItem(PROFILE_KEY);
			return waitForFactor(profile, answer);
		}
	}
	void updateModules();
}

/** Whether the server refuses all but the care of the account until there is a second factor. */
function needsFactor(profile: Profile): boolean {
	const from = profile.secondFactorNeededFrom;
	return !!from && Date.parse(from) <= Date.now();
}

/** The person is signed in and can do nothing but add a second factor: nothing is opened, and nothing remembered. */
function waitForFactor(profile: Profile, answer: TokenAnswer): void {
	close();
	tokens = new TokenHolder(profile.userId, answer);
	useAccountLocale(profile.locale);
	session.user = profile;
	session.expired = false;
	session.status = 'factor';
}

/** The person has added a second factor, or removed it: what waited for it goes on, and the notices about it follow. */
export function factorChanged(): Promise<void> {
	return inTurn(async () => {
		if (session.status === 'factor') await renew();
		else if (session.user) await greet(session.user.userId);
	});
}

/** Open the user's database and start what runs in the background. False where a start without network can't. */
async function enter(profile: Profile, answer: TokenAnswer | null): Promise<boolean> {
	// what one person was typing is nothing for the next
	if (session.user && session.user.userId !== profile.userId) leave(false);
	if (!loadBackground) throw new ManaError('unexpected', 'No background was given to the session.');
	const { openReplica, startBackground } = await loadBackground();
	const holder = new TokenHolder(profile.userId, answer);
	let replica: Replica;
	try {
		replica = await openReplica(profile.userId, () => loadManifests(holder));
	} catch (thrown) {
		if (!answer && (thrown instanceof OfflineError || thrown instanceof SessionEnded)) return false;
		if (thrown instanceof ManaError) throw thrown;
		// IndexedDB's own message is English and for developers; the console has it.
		console.error('the local database could not be opened', thrown);
		throw new ManaError('storage_unreadable', 'What is stored on this device cannot be read. Reload the page.');
	}
	close();
	holder.now = () => Date.now() + replica.clockOffset;
	tokens = holder;
	showModules(replica.manifests);
	setReplica(replica);
	session.user = profile;
	session.expired = false;
	session.deleted = false;
	session.status = 'in';
	stopRunning = startBackground(replica, holder, () => pause(startBackground));
	return true;
}

/** The server's word on someone who came in without it. No network changes nothing. */
async function greet(userId: string): Promise<void> {
	const holder = tokens;
	if (holder?.userId !== userId) return;
	try {
		const profile = await dataOf(holder.api.GET('/auth/me'));
		if (tokens !== holder) return;
		localStorage.setItem(PROFILE_KEY, JSON.stringify(profile));
		session.user = profile;
		await updateModules();
	} catch (thrown) {
		if (thrown instanceof SessionEnded && tokens === holder) leave(true);
	}
}

/** Take over modules that were added or changed on the server. */
async function updateModules(): Promise<void> {
	const holder = tokens;
	if (!holder) return;
	try {
		const manifests = await loadManifests(holder);
		if (tokens !== holder) return;
		const replica = currentReplica();
		if (JSON.stringify(manifests) === JSON.stringify(replica.manifests)) return;
		await replica.replaceManifests(manifests);
		showModules(manifests);
	} catch {
		// the kept ones serve until the next start; that a session ended, the sync says as well
	}
}

type StartBackground = Background['startBackground'];

/** The server no longer knows this session, in the midst of work: nothing is sent, and the page stays. */
function pause(startBackground: StartBackground): void {
	const holder = tokens;
	if (!holder || session.expired) return;
	stopRunning();
	session.expired = true;
	const replica = currentReplica();
	// signed in again in another tab: the cookie is this one's too
	const stop = replica.bus.on(
		'signedIn',
		() => void inTurn(() => (session.expired ? renew() : Promise.resolve())).catch(() => {})
	);
	stopRunning = stop;
	resumeSession = (profile, answer) => {
		stop();
		resumeSession = null;
		const next = new TokenHolder(profile.userId, answer);
		next.now = holder.now;
		tokens = next;
		session.user = profile;
		session.expired = false;
		stopRunning = startBackground(replica, next, () => pause(startBackground));
		replica.bus.publish('signedIn', {});
	};
}

/** Stop everything that belongs to a person. */
function close(): void {
	stopRunning();
	stopRunning = () => {};
	resumeSession = null;
	tokens = null;
	setReplica(null);
	showModules([]);
	resetStatus();
}

function leave(expired: boolean): void {
	close();
	session.user = null;
	session.expired = expired;
	session.status = 'out';
}

async function finishLogout(): Promise<void> {
	const mark = localStorage.getItem(LOGOUT_KEY);
	if (!mark) return;
	await dataOf(publicApi.POST('/auth/logout', { body: { clearDevice: mark === EMPTY } }));
	localStorage.removeItem(LOGOUT_KEY);
}

/** Another tab signed out, or someone else in. */
function otherTabChanged(event: StorageEvent): void {
	if (event.key !== PROFILE_KEY) return;
	void inTurn(async () => {
		const profile = storedProfile();
		if (profile?.userId === session.user?.userId) return;
		if (!profile) leave(false);
		else await renew().catch(() => leave(false));
	});
}

function storedProfile(): Profile | null {
	try {
		const profile = JSON.parse(localStorage.getItem(PROFILE_KEY) ?? 'null') as Profile | null;
		return typeof profile?.userId === 'string' ? profile : null;
	} catch {
		return null;
	}
}
