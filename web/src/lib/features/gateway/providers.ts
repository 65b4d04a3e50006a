/** Providers as the pages know them: names and defaults, and the field that a refusal of the server belongs to. */
import { ApiError, OfflineError } from '$lib/api/errors';
import type { Catalogue, Provider } from './gateway';
import { errorText, t, type PlainKey } from '$lib/i18n';

/** The provider of this name, if the server knows it beforehand. */
export const known = (catalogue: Catalogue, name: string) => catalogue.providers.find((one) => one.name === name);

/** The name that people use for a provider. `default` is the provider of MANA_LLM_URL and has no name of its own. */
export const providerLabel = (catalogue: Catalogue, name: string) =>
	known(catalogue, name)?.label ?? (name === 'default' ? t('models.defaultProvider') : name);

/** The value that holds where none is set. */
export const usualConcurrency = (catalogue: Catalogue, name: string) =>
	known(catalogue, name)?.concurrency ?? catalogue.concurrency;
export const usualApi = (catalogue: Catalogue, name: string) =>
	known(catalogue, name)?.api ?? catalogue.protocols[0]?.name ?? '';

const FIELDS = ['name', 'baseUrl', 'key', 'models', 'timeout', 'concurrency', 'api'] as const;
export type ProviderField = (typeof FIELDS)[number];
export type FieldErrors<F extends string> = Partial<Record<F | 'form', string>>;

/** The name in `provider/model`: what the server takes. */
const NAME = /^[A-Za-z0-9._-]+$/;
const TAKEN = ['mana', 'builtin', 'default'];

/** The errors of a provider form, in the language of the screen and before it is sent. */
export function checkProvider(
	of: { name: string; baseUrl: string; timeout: number | null; concurrency: number | null },
	others: readonly Provider[],
	catalogue: Catalogue
): FieldErrors<ProviderField> {
	const errors: FieldErrors<ProviderField> = {};
	if (!of.name) errors.name = t('error.required');
	else if (!NAME.test(of.name) || TAKEN.includes(of.name)) errors.name = t('models.nameWrong');
	else if (others.some((one) => one.name === of.name)) errors.name = t('models.nameTaken');
	if (!of.baseUrl && !known(catalogue, of.name)) errors.baseUrl = t('error.required');
	else if (of.baseUrl && !/^https?:\/\/[^\s/]/i.test(of.baseUrl)) errors.baseUrl = t('models.urlWrong');
	if (of.timeout !== null && !(of.timeout > 0)) errors.timeout = t('error.range');
	if (of.concurrency !== null && !(of.concurrency >= 1 && Number.isInteger(of.concurrency)))
		errors.concurrency = t('error.range');
	return errors;
}

/** The texts of the server's codes. Any other refusal is told in the server's own words. */
const BY_CODE: Record<string, PlainKey> = {
	invalid_name: 'models.nameWrong',
	invalid_url: 'models.urlWrong',
	required: 'error.required',
	range: 'error.range'
};

/** The details of a refused setting. */
interface Refusal {
	field?: string;
	code?: string;
	problem?: string;
}
const detailsOf = (error: unknown): Refusal =>
	error instanceof ApiError && error.status === 400 ? ((error.details as Refusal | undefined) ?? {}) : {};

/** The server's refusal, beside the field that it is about. */
export function refusedProvider(error: unknown): FieldErrors<ProviderField> {
	const { field: named, code } = detailsOf(error);
	const field = FIELDS.find((one) => one === named);
	if (!field) return { form: t('error.failed', { message: refusal(error) }) };
	const key = code === undefined ? undefined : BY_CODE[code];
	return { [field]: key ? t(key) : refusal(error) };
}

/** Why it was not saved: without network the entries are in the form alone; else the server's own sentence. */
export function refusal(error: unknown): string {
	if (error instanceof OfflineError) return t('gateway.notReached');
	return detailsOf(error).problem ?? errorText(error);
}
