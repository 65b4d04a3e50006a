import '$lib/testing/dom';
import { beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import type { Row } from '$lib/core/types';
import { showModules } from '$lib/features/records/modules.svelte';
import { showLocale } from '$lib/i18n';
import { setReplica } from '$lib/replica/current';
import { show } from '$lib/testing/faces';
import { manifests, openTab, someUser } from '$lib/testing/replica';
import RecordDetail from './RecordDetail.svelte';

vi.mock('$app/navigation', () => ({ goto: () => {}, beforeNavigate: () => {}, afterNavigate: () => {} }));

beforeAll(() => showLocale('en'));

it.each<[string, string | null, string]>([
	['https://a.example/x', 'https://a.example/x', ''],
	['https://bank.example@evil.example/x', 'https://bank.example@evil.example/x', 'leads to evil.example'],
	['https:\\\\evil.example', null, ''],
	['javascript:alert(1)', null, ''],
	['JAVASCRIPT:alert(1)', null, ''],
	['data:text/html,<script>alert(1)</script>', null, ''],
	['vbscript:x', null, ''],
	['//evil.example', null, ''],
	['/\\evil.example', null, ''],
	['blob:https://a.example/x', null, '']
])('a field of the kind url leads only where links may: %s', async (address, href, said) => {
	const places = structuredClone(manifests.find(({ id }) => id === 'places')!);
	places.tables.places!.fields.address = { type: 'url', label: { en: 'Website' } };
	const all = manifests.map((one) => (one.id === 'places' ? places : one));
	showModules(all);
	onTestFinished(() => showModules(manifests));
	setReplica(await openTab(someUser(), all));
	onTestFinished(() => setReplica(null));
	const data = { name: 'Café Mira', address };
	const row: Row = { app: 'places', table: 'places', id: 'p1', data, meta: {}, deleted: false };
	const shown = show(RecordDetail, { row, onclose: () => {} });
	const link = [...shown.querySelectorAll('a')].find((one) => one.textContent.includes(address));
	expect(link?.getAttribute('href') ?? null).toBe(href);
	if (link) expect(link.rel).toContain('noopener');
	expect(shown.textContent).toContain(address);
	expect(shown.textContent).toContain(said);
});
