import { expect, type Browser, type BrowserContext, type Page } from '@playwright/test';
import type { Server } from './server';

export const LENA = { name: 'Lena', email: 'lena@example.org', password: 'a quiet morning' };

export const OLA = { name: 'Ola', email: 'ola@example.org', password: 'another quiet morning' };

/** The form of a new account, filled in and sent; the day is on screen. */
export async function makeAccount(
	page: Page,
	server: Server,
	who: typeof LENA,
	button = 'Create account'
): Promise<void> {
	await page.getByLabel('Name').fill(who.name);
	await page.getByLabel('E-mail').fill(who.email);
	await page.getByLabel('Password').fill(who.password);
	await page.getByRole('button', { name: button }).click();
	if (button === 'Make it mine') await page.getByRole('link', { name: 'Open Mana' }).click();
	await expect(page).toHaveURL(`${server.url}/`);
}

/** A link that lets one person in, made by the owner on the page about people. */
export async function invitationLink(page: Page, server: Server, days = '7 days'): Promise<string> {
	await page.goto(`${server.url}/settings/people`);
	await page.getByRole('button', { name: 'Invite someone' }).click();
	const sheet = page.getByRole('dialog');
	await sheet.getByRole('button', { name: days, exact: true }).click();
	await sheet.getByRole('button', { name: 'Make a link' }).click();
	const link = await sheet.getByLabel('Invitation link').inputValue();
	await sheet.getByRole('button', { name: 'Done' }).click();
	return link;
}

/** The first start's link, opened: the owner's account is made, and the day is on screen. */
export async function becomeOwner(
	browser: Browser,
	server: Server,
	options = {}
): Promise<{ context: BrowserContext; page: Page }> {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	await page.goto(server.setupLink);
	await makeAccount(page, server, LENA, 'Make it mine');
	return { context, page };
}

/** The same person at another browser: an own profile, with its own local database. */
export async function signIn(
	browser: Browser,
	server: Server,
	options = {}
): Promise<{ context: BrowserContext; page: Page }> {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	await page.goto(`${server.url}/login`);
	await page.getByLabel('E-mail').fill(LENA.email);
	await page.getByLabel('Password').fill(LENA.password);
	await page.getByRole('button', { name: 'Sign in' }).click();
	await expect(page).toHaveURL(`${server.url}/`);
	return { context, page };
}

/** A daily mission, written in the form as a person would. Answers its id. */
export async function writeMission(page: Page, title: string, concept = ''): Promise<string> {
	await page.goto('about:blank').catch(() => undefined);
	await page.goBack();
	await page.getByRole('link', { name: 'Missions' }).first().click();
	await page
		.getByRole('link', { name: 'New mission' })
		.or(page.getByRole('button', { name: 'New mission' }))
		.first()
		.click();
	await page.getByLabel('Title').fill(title);
	if (concept) await page.getByLabel('Concept').fill(concept);
	await page.getByLabel('Every day').check();
	await page.getByRole('button', { name: 'Create mission' }).click();
	await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible();
	return /missions\/([0-9a-f-]{36})/.exec(page.url())![1];
}

/** Waits until nothing on this page waits to be sent. */
export async function synced(page: Page): Promise<void> {
	// A page that is being left answers no evaluation; the next attempt asks the page that follows.
	await expect(async () => expect(await stored(page, 'outbox')).toEqual([])).toPass({ timeout: 20_000 });
	await expect(page.getByRole('link', { name: /^Synced/ }).first()).toBeVisible();
}

/** The rows of a store in the local databases of this browser profile. */
export function stored(page: Page, store: string): Promise<unknown[]> {
	return page.evaluate(async (store) => {
		const result = <T>(request: IDBRequest<T>) =>
			new Promise<T>((resolve, reject) => {
				request.onsuccess = () => resolve(request.result);
				request.onerror = () => reject(request.error!);
			});
		const rows: unknown[] = [];
		for (const { name } of await indexedDB.databases()) {
			const database = await result(indexedDB.open(name!));
			if (database.objectStoreNames.contains(store)) {
				const all: IDBRequest<unknown[]> = database.transaction(store).objectStore(store).getAll();
				rows.push(...(await result(all)));
			}
			database.close();
		}
		return rows;
	}, store);
}

/** A change as the server's log holds it, as far as the tests read it. */
export interface LoggedChange {
	id: string;
	op: string;
	actor: { kind: string; iterationId?: string };
	data?: Record<string, unknown>;
	fields?: Record<string, { value: unknown }>;
}

/** The person's own API client: what another program of hers could do. */
export class Api {
	private constructor(
		private readonly server: Server,
		readonly token: string
	) {}

	static async signIn(server: Server, person = LENA): Promise<Api> {
		const answer = await fetch(`${server.url}/auth/login`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ email: person.email, password: person.password })
		});
		if (!answer.ok) throw new Error(`login: ${answer.status} ${await answer.text()}`);
		return new Api(server, ((await answer.json()) as { token: string }).token);
	}

	async #request<T>(method: string, path: string, body?: unknown): Promise<T> {
		const answer = await fetch(this.server.url + path, {
			method,
			headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
			body: body === undefined ? undefined : JSON.stringify(body)
		});
		if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
		return (await answer.json()) as T;
	}

	/** Pushes changes as an older client would: without ids, times and actors. */
	push(app: string, changes: unknown[]): Promise<unknown> {
		return this.#request('POST', `/sync/${app}`, { clientId: 'e2e', since: '', changes });
	}

	/** Every change of a table, oldest first. */
	async changes(app: string, table: string): Promise<LoggedChange[]> {
		const answer = await this.#request<{ serverChanges: LoggedChange[] }>(
			'GET',
			`/sync/${app}/pull?collection=${table}&since=`
		);
		return answer.serverChanges;
	}

	/** A later plan of the mission leaves the proposals of an older one. */
	async keepOlderPlans(mission: string): Promise<void> {
		const fields = { overlap: { value: 'allow' } };
		await this.push('ai', [{ table: 'aiMissions', id: mission, op: 'update', fields }]);
	}

	/** Moves a mission's next run to a moment ago, so that the next tick finds it due. */
	async makeDue(mission: string): Promise<void> {
		const past = new Date(Date.now() - 1000).toISOString();
		await this.push('ai', [{ table: 'aiMissions', id: mission, op: 'update', fields: { nextRunAt: { value: past } } }]);
	}

	/** Decides every open step of a mission, as a device of the person does. */
	async decideAll(mission: string, status: 'approved' | 'rejected', feedback?: string): Promise<void> {
		interface Iteration {
			id: string;
			startedAt: string;
			plan: object[];
		}
		const iterations = new Map<string, Iteration>();
		for (const change of await this.changes('ai', 'aiMissions')) {
			if (change.id !== mission) continue;
			const written = (change.fields?.iterations?.value ?? []) as Iteration[];
			for (const one of written) iterations.set(one.id, one);
		}
		const now = new Date().toISOString();
		const decided = [...iterations.values()].map(({ id, startedAt, plan }) => ({
			id,
			startedAt,
			plan: plan.map((step) => ({
				...step,
				status,
				feedback,
				decidedAt: now,
				decidedBy: 'user',
				updatedAt: now
			}))
		}));
		await this.push('ai', [
			{ table: 'aiMissions', id: mission, op: 'update', fields: { iterations: { value: decided } } }
		]);
	}

	/** A request that the owner's pages of the gateway make. */
	llm<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
		return this.#request(method, `/llm/${path}`, body);
	}

	async runNow(mission: string): Promise<void> {
		await this.#request('POST', `/ai/missions/${mission}/run`, {});
	}
}
