import '$lib/testing/dom';
import { flushSync, mount, unmount, type Component } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Data, Row } from '$lib/core/types';
import { showLocale } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { showModules } from './modules.svelte';
import RecordForm from './RecordForm.svelte';
import { fittedData, unfitOf } from './unfit';

/** A record that another program wrote. */
async function poisoned(data: Data): Promise<{ replica: Replica; row: Row }> {
	const replica = await openTab(someUser());
	setReplica(replica);
	onTestFinished(() => setReplica(null));
	const tasks = collection('todo', 'tasks');
	await until(() => tasks.ready);
	const at = '2026-04-08T06:00:00.000000Z';
	const actor = { kind: 'user' } as const;
	await arrive(replica, [
		{
			eventId: 'e1',
			appId: 'todo',
			table: 'tasks',
			id: 't1',
			op: 'insert',
			at,
			actor,
			data: { title: 'Call', ...data }
		}
	]);
	return { replica, row: await until(() => tasks.get('t1')) };
}

function form(row: Row): HTMLElement {
	const target = document.createElement('div');
	document.body.append(target);
	const props = { app: row.app, table: row.table, row, mend: true, onsaved: vi.fn(), oncancel: vi.fn() };
	const shown = mount(RecordForm as Component<typeof props>, { target, props });
	onTestFinished(() => {
		void unmount(shown);
		target.remove();
	});
	flushSync();
	return target;
}

const button = (of: HTMLElement, text: string) =>
	[...of.querySelectorAll('button')].find((one) => one.textContent.includes(text));

describe('a value that does not fit its field', () => {
	beforeAll(async () => {
		await showLocale('en');
		showModules(manifests);
	});

	it('D8 is shown as what it can be kept as, and stays as it is', async () => {
		const { replica, row } = await poisoned({ dueDate: '2031-02-03T00:00:00Z', priority: 'somewhat' });
		expect(unfitOf(row).map(({ field, kept }) => [field, kept])).toEqual([
			['dueDate', '2031-02-03'],
			['priority', undefined]
		]);
		expect(unfitOf(row)).toBe(unfitOf(row));
		expect(fittedData(row)).toMatchObject({ dueDate: '2031-02-03', priority: 'somewhat' });
		expect(row.data.dueDate).toBe('2031-02-03T00:00:00Z');
		expect(form(row).querySelector('form')).not.toBeNull();
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('D8 is mended in the form, by a choice that says what stands there', async () => {
		const { replica, row } = await poisoned({ dueDate: '2031-02-03T00:00:00Z', priority: 'somewhat' });
		const shown = form(row);
		const day = shown.querySelector<HTMLInputElement>('[name=dueDate]')!;
		const described = day.getAttribute('aria-describedby')!;
		expect(shown.querySelector(`#${described}`)?.textContent).toContain('2031-02-03T00:00:00Z');
		expect(button(shown, 'Keep it as')?.textContent).toContain('3 Feb');
		button(shown, 'Keep it as')!.click();
		await until(() => day.value === '2031-02-03');
		const priority = shown.querySelector('[name=priority]')!.closest<HTMLElement>('.field')!;
		expect(priority.textContent).toContain('somewhat');
		button(priority, 'Leave it empty')!.click();
		flushSync();
		expect(await replica.db.outbox.count()).toBe(0);
		shown.querySelector('form')!.dispatchEvent(new Event('submit', { cancelable: true, bubbles: true }));
		const [sent] = await until(async () => {
			const rows = await replica.db.outbox.toArray();
			return rows.length ? rows : null;
		});
		expect(Object.entries(sent!.change.fields ?? {}).map(([name, write]) => [name, write.value])).toEqual([
			['dueDate', '2031-02-03'],
			['priority', null]
		]);
		expect(unfitOf(await until(() => collection('todo', 'tasks').get('t1')))).toEqual([]);
	});

	it('D8 that nobody touches is not written with the others', async () => {
		const { replica, row } = await poisoned({ dueDate: 'tomorrow' });
		const shown = form(row);
		const title = shown.querySelector<HTMLInputElement>('[name=title]')!;
		title.value = 'Call Ada';
		title.dispatchEvent(new Event('input', { bubbles: true }));
		flushSync();
		shown.querySelector('form')!.dispatchEvent(new Event('submit', { cancelable: true, bubbles: true }));
		const [sent] = await until(async () => {
			const rows = await replica.db.outbox.toArray();
			return rows.length ? rows : null;
		});
		expect(Object.keys(sent!.change.fields ?? {})).toEqual(['title']);
	});
});
