/** Providers as the pages know them: names, addresses, and the field that a refusal of the server belongs to. */
import { ApiError, OfflineError } from '$lib/api/errors';
import type { Provider } from './gateway';
import { errorText, t } from '$lib/i18n';

export interface KnownProvider {
	name: string;
	label: string;
	baseUrl: string;
	/** Whether the provider refuses calls without a key. */
	needsKey: boolean;
}

/** In the order in which they are offered. The server knows the same addresses (crates/llm, catalog.rs). */
export const KNOWN: readonly KnownProvider[] = [
	{ name: 'ollama', label: 'Ollama', baseUrl: 'http://127.0.0.1:11434/v1', needsKey: false },
	{ name: 'openai', label: 'OpenAI', baseUrl: 'https://api.openai.com/v1', needsKey: true },
	{ name: 'anthropic', label: 'Anthropic', baseUrl: 'https://api.anthropic.com/v1', needsKey: true },
	{ name: 'groq', label: 'Groq', baseUrl: 'https://api.groq.com/openai/v1', needsKey: true },
	{ name: 'openrouter', label: 'OpenRouter', baseUrl: 'https://openrouter.ai/api/v1', needsKey: true },
	{ name: 'mistral', label: 'Mistral', baseUrl: 'https://api.mistral.ai/v1', needsKey: true },
	{
		name: 'gemini',
		label: 'Gemini',
		baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
		needsKey: true
	},
	{ name: 'together', label: 'Together', baseUrl: 'https://api.together.xyz/v1', needsKey: true }
];

export const known = (name: string) => KNOWN.find((one) => one.name === name);

/** The name that people use for a provider. `default` is the provider of MANA_LLM_URL and has no name of its own. */
export const providerLabel = (name: string) =>
	known(name)?.label ?? (name === 'default' ? t('models.defaultProvider') : name);

/** The value that holds where none is set. */
export const usualConcurrency = (name: string) => (name === 'ollama' ? 1 : 64);
export const usualApi = (name: string) => (name === 'anthropic' ? 'anthropic' : 'openai');

export type ProviderField = 'name' | 'baseUrl' | 'key' | 'models' | 'timeout' | 'concurrency';
export type FieldErrors<F extends string> = Partial<Record<F | 'form', string>>;

/** The name in `provider/model`: what the server takes. */
const NAME = /^[A-Za-z0-9._-]+$/;
const TAKEN = ['mana', 'builtin', 'default'];

/** The errors of a provider form, in the language of the screen and before it is sent. */
export function checkProvider(
	of: { name: string; baseUrl: string; timeout: number | null; concurrency: number | null },
	others: readonly Provider[]
): FieldErrors<ProviderField> {
	const errors: FieldErrors<ProviderField> = {};
	if (!of.name) errors.name = t('error.required');
	else if (!NAME.test(of.name) || TAKEN.includes(of.name)) errors.name = t('models.nameWrong');
	else if (others.some((one) => one.name === of.name)) errors.name = t('models.nameTaken');
	if (!of.baseUrl && !known(of.name)) errors.baseUrl = t('error.required');
	else if (of.baseUrl && !/^https?:\/\/[^\s/]/i.test(of.baseUrl)) errors.baseUrl = t('models.urlWrong');
	if (of.timeout !== null && !(of.timeout > 0)) errors.timeout = t('error.range');
	if (of.concurrency !== null && !(of.concurrency >= 1 && Number.isInteger(of.concurrency)))
		errors.concurrency = t('error.range');
	return errors;
}

const BY_SETTING: [RegExp, ProviderField][] = [
	[/^llm\.providers\.[^:]*\.base_url: /, 'baseUrl'],
	[/^llm\.providers\.[^:]*\.concurrency: /, 'concurrency'],
	[/^llm\.providers\.[^:]*: /, 'name']
];

/** The server's refusal, beside the field that it is about: it names the setting first. */
export function refusedProvider(error: unknown): FieldErrors<ProviderField> {
	const message = error instanceof ApiError && error.status === 400 ? error.message : '';
	for (const [pattern, field] of BY_SETTING)
		if (pattern.test(message)) return { [field]: sentence(message.replace(pattern, '')) };
	return { form: t('error.failed', { message: refusal(error) }) };
}

/**
 * Why it was not saved: without network the entries are in the form alone; else the server's own sentence, without the
 * name of the setting in the file, which no page shows.
 */
export function refusal(error: unknown): string {
	if (error instanceof OfflineError) return t('gateway.notReached');
	return sentence(errorText(error).replace(/^(llm\.[a-z]+(\.[\w-]+|\."[^"]*")?(\.[a-z_]+)?|provider [\w.-]+): /, ''));
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
