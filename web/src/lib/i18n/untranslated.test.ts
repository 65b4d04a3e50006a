import '../testing/dom';
import { flushSync, mount, unmount, type Component } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { setReplica } from '../replica/current';
import { Replica } from '../replica/replica';
import { showModules } from '$lib/features/records/modules.svelte';
import { session } from '$lib/features/session/session.svelte';
import { iterationArrives, MISSION, missionInsert, taskStep } from '../testing/missions';
import { PSEUDO, pseudoManifests, pseudoMessages, untranslated } from '../testing/pseudoLocale';
import { arrive, manifests, someUser } from '../testing/replica';
import { languages, showMessages } from './index';

const state = vi.hoisted(() => ({
	page: {
		url: new URL('http://mana.test/'),
		params: {},
		route: { id: '/' },
		state: {},
		status: 404,
		error: null
	}
}));
vi.mock('$app/state', () => ({ page: state.page }));
vi.mock('$app/navigation', () => ({
	goto: async () => {},
	replaceState: () => {},
	pushState: () => {},
	afterNavigate: () => {},
	beforeNavigate: () => {},
	onNavigate: () => {}
}));

const pages = import.meta.glob<{ default: Component }>('/src/routes/**/+{page,error}.svelte');
/** No texts to translate: the product's name, the host, an address, time zones, and languages in their own words. */
const DATA = [
	/\bMana\b/g,
	/mana\.test/g,
	/\S+@\S+/g,
	/\b\w+\/[\w/+ -]+|\bUTC\b/g,
	new RegExp(`^(?:${languages.map(({ name }) => name).join('|')})$`)
];

beforeAll(async () => showMessages(PSEUDO, await pseudoMessages()));

/** A person who wrote everything in Cyrillic, with a mission and a plan that waits. */
async function signedIn(): Promise<void> {
	const replica = await Replica.open(someUser(), async () => pseudoManifests(manifests));
	onTestFinished(() => {
		setReplica(null);
		replica.close();
	});
	setReplica(replica);
	showModules(replica.manifests);
	session.user = {
		userId: replica.userId,
		email: 'ada@example.org',
		name: 'Ада',
		timezone: 'Europe/Berlin',
		locale: 'en',
		role: 'owner'
	};
	session.status = 'in';
	const step = (index: number, extra = {}) => {
		const title = `Дело ${index}`;
		return taskStep(index, { title }, { summary: title, rationale: 'Потому', ...extra });
	};
	await arrive(replica, [
		missionInsert({ title: 'План', objective: 'Цель', conceptMarkdown: '- неделя' }),
		iterationArrives([step(1), step(2, { status: 'rejected', decidedAt: new Date().toISOString() })], {
			summary: 'Итог'
		})
	]);
}

describe('in the pseudo-locale', () => {
	it.each(Object.keys(pages))(
		'every text is translated: %s',
		async (path) => {
			vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('no network')));
			await signedIn();
			const route = path.replace(/^\/src\/routes|\/\+\w+\.svelte$/g, '');
			const params: Record<string, string> = { module: 'notes', id: route.includes('missions') ? MISSION : 'default' };
			const address = route.replace(/\/\(\w+\)/g, '').replace(/\[(\w+)\]/g, (_, name: string) => params[name] ?? name);
			Object.assign(state.page, { params, url: new URL(address || '/', 'http://mana.test'), route: { id: route } });
			const target = document.createElement('div');
			const { default: page } = await pages[path]!();
			const shown = mount(page, { target });
			onTestFinished(() => unmount(shown));
			await vi.waitFor(() => {
				flushSync();
				expect(target.textContent).toContain('⟧');
			});
			await new Promise((resolve) => setTimeout(resolve, 50));
			flushSync();
			expect(untranslated(target, DATA)).toEqual([]);
		},
		60_000
	);

	it('a text that a component spells out is found', () => {
		const page = document.createElement('div');
		page.innerHTML =
			'<h1>⟦Tîtlé⟧</h1><p>⟦Sàvéd <b>Дело</b> by ⟦Àdà⟧⟧ Saved</p><i>Заметка</i>' +
			'<button title="Close" aria-label="⟦Clösé⟧">⟦Clösé⟧</button><kbd>Esc</kbd><b>mana.test</b>';
		expect(untranslated(page, DATA)).toEqual(['P: by ⟦Àdà⟧⟧ Saved', 'BUTTON title: Close']);
	});
});
