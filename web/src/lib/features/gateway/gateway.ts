/** The gateway as its pages see it: providers, keys for programs and usage. All of it is the server's. */
import { allPages, dataOf } from '$lib/api/client';
import type { components, paths } from '$lib/api/schema';
import { currentApi, session } from '$lib/features/session/session.svelte';

type Schemas = components['schemas'];
export type GatewaySettings = Schemas['LlmSettingsView'];
export type Provider = Schemas['ProviderView'];
export type Catalogue = Schemas['ProviderCatalogue'];
export type ProviderBody = Partial<Schemas['ProviderBody']>;
export type ExtraView = Schemas['ExtraView'];
export type ExtraBody = Schemas['ExtraBody'];
export type ModelFacts = Partial<Schemas['ModelFacts']>;
export type Model = Schemas['ModelView'];
export type Key = Schemas['KeyView'];
export type KeySettings = Partial<Schemas['KeySettings']>;
export type NewKey = Schemas['NewKey'];
export type Usage = Schemas['Usage'];
export type UsageBy = 'user' | 'mission' | 'agent' | 'key' | 'model';

/** A list of providers may have to be asked for first, each by its own time-out. */
const SLOW_MS = 60_000;

/** The answers that this tab loaded last, by person and question. Pages show them while there is no network. */
const kept = new Map<string, { value: unknown; at: string }>();
const keptKey = (question: string) => `${session.user?.userId ?? ''} ${question}`;

async function load<T>(question: string, answer: Promise<T>): Promise<T> {
	const value = await answer;
	kept.set(keptKey(question), { value, at: new Date().toISOString() });
	return value;
}

/** The answer that an earlier question brought, and when. */
export function lastLoaded<T>(question: string): { value: T; at: string } | undefined {
	return kept.get(keptKey(question)) as { value: T; at: string } | undefined;
}

export const SETTINGS = 'settings';
export const MODELS = 'models';
export const KEYS = 'keys';
/** The question for the usage from a day (`YYYY-MM-DD`) up to today, by the account's clock. */
export const usageQuestion = (by: UsageBy, from: string) => `usage ${by} ${from}`;

const timeoutMs = SLOW_MS;

export const gatewaySettings = () => load(SETTINGS, dataOf(currentApi().GET('/llm/settings')));
export const gatewayModels = async () =>
	(await load(MODELS, dataOf(currentApi().GET('/llm/models', { timeoutMs })))).models;
export const gatewayKeys = () =>
	load(
		KEYS,
		allPages(async (after) => {
			const page = await dataOf(currentApi().GET('/llm/keys', { params: { query: { after } } }));
			return [page.keys, page.next];
		})
	);
export const usage = (by: UsageBy, from: string) => {
	// The specification lists these parameters as parts of the path, which has none; the server reads a query.
	const params = { query: { by, from } } as unknown as paths['/llm/usage']['get']['parameters'];
	return load(usageQuestion(by, from), dataOf(currentApi().GET('/llm/usage', { params })));
};

/** The model that each alias comes to at this moment; null where nothing answers. */
export async function aliasesNow(): Promise<Record<string, string | null>> {
	const info = await dataOf(currentApi().GET('/app/info', { timeoutMs }));
	const named = Object.entries(info.model ?? {}).filter(([name]) => name.includes('/'));
	return Object.fromEntries(named.map(([name, model]) => [name, typeof model === 'string' ? model : null]));
}

/** The schema calls every field of these bodies required; the server takes its default for a field that is left out. */
const whole = <T>(body: T) => body as { [K in keyof T]: T[K] extends object ? Required<T[K]> : T[K] } & Required<T>;

/** Keeps the settings that a change was answered with. */
const changed = (answer: Promise<GatewaySettings>) => load(SETTINGS, answer);

/** Saves a provider. A key that is left out stays, null takes it away. */
export const saveProvider = (name: string, body: ProviderBody) =>
	changed(dataOf(currentApi().PUT('/llm/providers/{name}', { params: { path: { name } }, body: whole(body) })));

export function removeProvider(name: string): Promise<GatewaySettings> {
	return dataOf(currentApi().DELETE('/llm/providers/{name}', { params: { path: { name } } }));
}

/** Saves an alias' chain, or with none lets the server choose again. Other aliases stay as the server has them now. */
export async function saveAlias(name: string, chain: string[] | null): Promise<GatewaySettings> {
	const { [name]: _, ...others } = (await gatewaySettings()).aliases;
	const body = chain ? { ...others, [name]: chain } : others;
	return changed(dataOf(currentApi().PUT('/llm/aliases', { body })));
}

/** Saves the owner's facts of a model, or with none leaves it to Mana again. */
export async function saveFacts(model: string, facts: ModelFacts | null): Promise<GatewaySettings> {
	const { [model]: _, ...others } = (await gatewaySettings()).models;
	const body = facts && Object.keys(facts).length ? { ...others, [model]: facts } : others;
	return changed(dataOf(currentApi().PUT('/llm/models', { body: whole(body) })));
}

/** Saves the headers and fields that are added to the requests for a provider or a model. */
export const saveExtra = (body: ExtraBody) => changed(dataOf(currentApi().PUT('/llm/extra', { body })));

/** Lets members' own programs call models, or not. */
export const letMembersCall = (mayCall: boolean) =>
	changed(dataOf(currentApi().PUT('/llm/members', { body: { mayCall } })));

export function createKey(settings: KeySettings): Promise<NewKey> {
	return dataOf(currentApi().POST('/llm/keys', { body: whole(settings) }));
}

export function saveKey(id: string, settings: KeySettings): Promise<Key> {
	return dataOf(currentApi().PUT('/llm/keys/{id}', { params: { path: { id } }, body: whole(settings) }));
}

export async function revokeKey(id: string): Promise<void> {
	await dataOf(currentApi().DELETE('/llm/keys/{id}', { params: { path: { id } } }));
}
