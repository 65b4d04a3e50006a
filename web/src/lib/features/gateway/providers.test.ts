import { beforeAll, describe, expect, it } from 'vitest';
import { ApiError, OfflineError } from '$lib/api/errors';
import { showLocale } from '$lib/i18n';
import type { Catalogue } from './gateway';
import { checkProvider, providerLabel, refusal, refusedProvider, usualApi, usualConcurrency } from './providers';

beforeAll(() => showLocale('en'));

const catalogue: Catalogue = {
	providers: [
		{
			name: 'lumen',
			label: 'Lumen',
			baseUrl: 'https://lumen.example/v1',
			needsKey: true,
			isLocal: false,
			api: 'beams',
			concurrency: 2
		}
	],
	protocols: [
		{ name: 'usual', label: 'The usual' },
		{ name: 'beams', label: 'Beams' }
	],
	concurrency: 9
};

const refused = (details: unknown) =>
	new ApiError(400, 'invalid_request', 'llm.providers.box.base_url: is wrong.', details);

describe('a provider form', () => {
	it('takes names and defaults from the server’s catalogue', () => {
		expect(providerLabel(catalogue, 'lumen')).toBe('Lumen');
		expect(providerLabel(catalogue, 'box')).toBe('box');
		expect([usualApi(catalogue, 'lumen'), usualConcurrency(catalogue, 'lumen')]).toEqual(['beams', 2]);
		expect([usualApi(catalogue, 'box'), usualConcurrency(catalogue, 'box')]).toEqual(['usual', 9]);
		const empty = { baseUrl: '', timeout: null, concurrency: null };
		expect(checkProvider({ name: 'lumen', ...empty }, [], catalogue)).toEqual({});
		expect(checkProvider({ name: 'box', ...empty }, [], catalogue)).toEqual({ baseUrl: 'Please fill this in.' });
	});

	it('shows a refusal beside its field, by its code or in the server’s words', () => {
		expect(refusedProvider(refused({ field: 'baseUrl', code: 'invalid_url', problem: 'Is wrong.' }))).toEqual({
			baseUrl: 'Please write a full address, with http:// or https://.'
		});
		expect(refusedProvider(refused({ field: 'api', code: 'later', problem: 'Is wrong.' }))).toEqual({
			api: 'Is wrong.'
		});
		expect(refusedProvider(refused({ code: 'sealed_key', problem: 'Is wrong.' })).form).toContain('Is wrong.');
		expect(refusedProvider(new ApiError(500, 'internal', 'Broken.')).form).toContain('Broken.');
	});

	it('says why nothing was saved', () => {
		expect(refusal(refused({ code: 'invalid_alias', problem: 'Is wrong.' }))).toBe('Is wrong.');
		expect(refusal(new OfflineError())).toContain('cannot be reached');
	});
});
