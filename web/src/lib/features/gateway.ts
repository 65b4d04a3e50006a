/** The gateway as its pages see it: where models come from, keys for programs, what was used. All of it is the server's. */
import type { components } from '../api/schema';
import { currentTokens, session } from '../session.svelte';

type Schemas = components['schemas'];
export type GatewaySettings = Schemas['LlmSettingsView'];
export type Provider = Schemas['ProviderView'];
export type ProviderBody = Partial<Schemas['ProviderBody']>;
export type ModelFacts = Partial<Schemas['ModelFacts']>;
export type Model = Schemas['ModelView'];
export type Key = Schemas['KeyView'];
export type KeySettings = Partial<Schemas['KeySettings']>;
export type NewKey = Schemas['NewKey'];
export type Usage = Schemas['Usage'];
export type UsageBy = 'user' | 'mission' | 'agent' | 'key' | 'model';

/** A list of providers may have to be asked for first, each by its own time-out. */
const SLOW_MS = 60_000;

/** What was loaded last in this tab, by person and question, for the time without network. */
const kept = new Map<string, { value: unknown; at: string }>();
const place = (path: string) => `${session.user?.userId ?? ''} ${path}`;

async function load<T>(path: string, timeoutMs?: number): Promise<T> {
	const value = await currentTokens().request<T>(path, { timeoutMs });
	kept.set(place(path), { value, at: new Date().toISOString() });
	return value;
}

/** What an earlier question brought, and when. */
export function lastLoaded<T>(path: string): { value: T; at: string } | undefined {
	return kept.get(place(path)) as { value: T; at: string } | undefined;
}

export const SETTINGS = '/llm/settings';
export const MODELS = '/llm/models';
export const KEYS = '/llm/keys';
/** From a day (`YYYY-MM-DD`) up to today, by the account's clock. */
export const usagePath = (by: UsageBy, from: string) => `/llm/usage?by=${by}&from=${from}`;

export const gatewaySettings = () => load<GatewaySettings>(SETTINGS);
export const gatewayModels = () => load<{ models: Model[] }>(MODELS, SLOW_MS).then((answer) => answer.models);
export const gatewayKeys = () => load<{ keys: Key[] }>(KEYS).then((answer) => answer.keys);
export const usage = (by: UsageBy, from: string) => load<Usage>(usagePath(by, from));

/** What each alias comes to at this moment; null where nothing answers. */
export async function aliasesNow(): Promise<Record<string, string | null>> {
	const info = await load<{ model?: Record<string, unknown> }>('/app/info', SLOW_MS);
	const named = Object.entries(info.model ?? {}).filter(([name]) => name.includes('/'));
	return Object.fromEntries(named.map(([name, model]) => [name, typeof model === 'string' ? model : null]));
}

async function put(path: string, body: unknown): Promise<GatewaySettings> {
	const value = await currentTokens().request<GatewaySettings>(path, { method: 'PUT', body });
	kept.set(place(SETTINGS), { value, at: new Date().toISOString() });
	return value;
}

/** Save a provider. A key that is left out stays, null takes it away. */
export const saveProvider = (name: string, body: ProviderBody) =>
	put(`/llm/providers/${encodeURIComponent(name)}`, body);

export function removeProvider(name: string): Promise<GatewaySettings> {
	return currentTokens().request(`/llm/providers/${encodeURIComponent(name)}`, { method: 'DELETE' });
}

/** Save one alias' chain, or with none let the server choose again. The others are taken as the server has them now. */
export async function saveAlias(name: string, chain: string[] | null): Promise<GatewaySettings> {
	const { [name]: _, ...others } = (await gatewaySettings()).aliases;
	return put('/llm/aliases', chain ? { ...others, [name]: chain } : others);
}

/** Save what the owner says of one model, or with nothing leave it to Mana again. */
export async function saveFacts(model: string, facts: ModelFacts | null): Promise<GatewaySettings> {
	const { [model]: _, ...others } = (await gatewaySettings()).models;
	return put('/llm/models', facts && Object.keys(facts).length ? { ...others, [model]: facts } : others);
}

export function createKey(settings: KeySettings): Promise<NewKey> {
	return currentTokens().request(KEYS, { method: 'POST', body: settings });
}

export function saveKey(id: string, settings: KeySettings): Promise<Key> {
	return currentTokens().request(`${KEYS}/${encodeURIComponent(id)}`, { method: 'PUT', body: settings });
}

export async function revokeKey(id: string): Promise<void> {
	await currentTokens().request(`${KEYS}/${encodeURIComponent(id)}`, { method: 'DELETE' });
}
