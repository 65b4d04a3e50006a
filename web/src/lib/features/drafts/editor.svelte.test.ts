import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Data } from '$lib/core/types';
import { recordAt } from '$lib/features/records/fields';
import { createRecord, deleteRecord, updateRecord } from '$lib/features/records/records';
import { showModules } from '$lib/features/records/modules.svelte';
import { showLocale } from '$lib/i18n';
import { setReplica } from '$lib/replica/current';
import { ManaDb } from '$lib/replica/database';
import type { Replica } from '$lib/replica/replica';
import { manifests, openTab, someUser, until } from '$lib/testing/replica';
import { DRAFT_CHARACTERS, DRAFT_DAYS, drafts, DRAFTS_KEPT, keepDraft, readDrafts } from './drafts.svelte';
import { Editor } from './editor.svelte';
import { newPlace, recordPlace } from './places';

const note = { app: 'notes', table: 'notes', id: 'n1' };
const place = recordPlace(note);
const live = () => recordAt(note.app, note.table, note.id);
let replica: Replica;
let user: string;

/** An open form of the note, or of a new one. */
function open(fresh = false): { editor: Editor; close: () => void } {
	let editor!: Editor;
	const fields: Data = { title: live()?.data.title, body: live()?.data.body };
	const end = $effect.root(() => {
		editor = new Editor(
			fresh
				? { place: newPlace('notes', 'notes'), fields: { title: undefined, body: undefined } }
				: { place, fields, live }
		);
	});
	flushSync();
	const close = () => {
		editor.close();
		end();
	};
	onTestFinished(close);
	return { editor, close };
}
async function change(set: Data): Promise<void> {
	await updateRecord(note.app, note.table, note.id, set);
	flushSync();
}
const stored = () => replica.db.drafts.toArray();

beforeAll(async () => {
	await showLocale('en');
	showModules(manifests);
});

beforeEach(async () => {
	user = someUser();
	replica = await openTab(user);
	setReplica(replica);
	onTestFinished(() => setReplica(null));
	await createRecord(note.app, note.table, { title: 'Rooms', body: 'The large one.' }, note.id);
	await until(() => live());
});

describe('an open form whose record changes elsewhere', () => {
	it('shows a field that nobody touched as it is now, and says so', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		await change({ title: 'All rooms' });
		expect(editor.values).toMatchObject({ title: 'All rooms', body: 'Mine.' });
		expect(editor.followed).toEqual(['title']);
		expect(editor.clashes).toEqual([]);
		expect(editor.written).toEqual(['body']);
	});

	it('keeps what was written, and waits for a choice', async () => {
		const { editor } = open();
		const before = editor.seen.body;
		editor.values.body = 'Mine.';
		await change({ body: 'Theirs.' });
		expect(editor.values.body).toBe('Mine.');
		expect(editor.clashes).toEqual([{ field: 'body', opened: 'The large one.', now: 'Theirs.', mine: 'Mine.' }]);
		expect(editor.seen.body).toBe(before);
	});

	it.each([
		['keepMine', 'Mine.', ['body'], true],
		['takeTheirs', 'Theirs.', [], true],
		['showBoth', 'Mine.', ['body'], false]
	] as const)('is settled by %s, on top of what is there now or beside it', async (way, value, written, over) => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		await change({ body: 'Theirs.' });
		editor[way]('body');
		flushSync();
		expect(editor.values.body).toBe(value);
		expect(editor.clashes).toEqual([]);
		expect(editor.written).toEqual(written);
		expect(editor.seen.body === live()?.meta.body?.at).toBe(over);
	});

	it('shows both on the record, where neither writer saw the other', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		await change({ body: 'Theirs.' });
		editor.showBoth('body');
		await updateRecord(note.app, note.table, note.id, { body: 'Mine.' }, editor.seen);
		const [conflict] = await replica.db.conflicts.toArray();
		expect([conflict?.winner.value, conflict?.loser.value]).toEqual(['Mine.', 'Theirs.']);
	});

	it('has nothing to settle where both wrote the same', async () => {
		const { editor } = open();
		editor.values.body = 'Both.';
		await change({ body: 'Both.' });
		expect([editor.clashes, editor.written, editor.followed]).toEqual([[], [], []]);
	});

	it('stays as it is where the record is deleted, and brings it back with what the record lacks', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		flushSync();
		await deleteRecord(note.app, note.table, note.id);
		flushSync();
		expect(editor.gone).toBe(true);
		expect(editor.values).toMatchObject({ title: 'Rooms', body: 'Mine.' });
		expect(editor.base.body).toBe('The large one.');
		await change({ deletedAt: null });
		expect(editor.gone).toBe(false);
		expect(editor.written).toEqual(['body']);
	});
});

describe('a draft', () => {
	it('is kept while one types, and is there again for the next form of its record alone', async () => {
		const { editor, close } = open();
		editor.values.body = 'Half a thou';
		flushSync();
		await until(async () => (await stored()).length === 1);
		expect((await stored())[0]).toMatchObject({
			place,
			written: { body: 'Half a thou' },
			opened: { body: 'The large one.' }
		});
		expect(drafts.at(place)).toEqual([]);
		editor.values.body = 'Half a thought';
		flushSync();
		close();
		expect(open(true).editor.restored).toBeNull();
		const again = open().editor;
		expect(again.values).toMatchObject({ title: 'Rooms', body: 'Half a thought' });
		expect(again.restored).not.toBeNull();
		await until(async () => (await stored())[0]?.written.body === 'Half a thought');
	});

	it('of something new is kept too', async () => {
		const { editor, close } = open(true);
		editor.values.body = 'New.';
		flushSync();
		close();
		const again = open(true).editor;
		expect(again.values.body).toBe('New.');
		await again.reset();
		expect([again.values.body, again.restored]).toEqual([undefined, null]);
		expect(await stored()).toEqual([]);
	});

	it('is written before another tab signs this one out, and stays in the database of its person', async () => {
		const { editor, close } = open();
		editor.values.body = 'Before the end';
		flushSync();
		setReplica(null);
		close();
		const db = new ManaDb(user);
		onTestFinished(() => db.close());
		await until(async () => (await db.drafts.toArray())[0]?.written.body === 'Before the end');
		const other = await openTab(someUser());
		expect(await other.db.drafts.count()).toBe(0);
	});

	it('is committed in the turn that writes it: a tab that is killed right after leaves it', async () => {
		const commit = vi.spyOn(IDBTransaction.prototype, 'commit');
		onTestFinished(() => commit.mockRestore());
		const at = new Date().toISOString();
		const kept = keepDraft(replica, { id: 'd', place, written: { body: 'So far' }, opened: {}, seen: {}, at });
		expect(commit).toHaveBeenCalledTimes(1);
		expect(await kept).toBe(true);
		expect(await stored()).toHaveLength(1);
	});

	it('is gone once it is saved or discarded, also where it was just on its way', async () => {
		const { editor } = open();
		editor.values.body = 'Saved.';
		flushSync();
		await editor.end();
		vi.stubGlobal('confirm', () => true);
		onTestFinished(() => void vi.unstubAllGlobals());
		const other = open(true).editor;
		other.values.title = 'x';
		flushSync();
		await until(async () => (await stored()).length === 1);
		expect(other.cancel()).toBe(true);
		await until(async () => (await stored()).length === 0);
	});

	it('whose record changed since has the same choice', async () => {
		const { editor, close } = open();
		editor.values.body = 'Mine.';
		flushSync();
		close();
		await change({ body: 'Theirs.', title: 'All rooms' });
		const again = open().editor;
		expect(again.values).toMatchObject({ title: 'All rooms', body: 'Mine.' });
		expect(again.clashes).toEqual([{ field: 'body', opened: 'The large one.', now: 'Theirs.', mine: 'Mine.' }]);
	});

	it('that says what its record says by now is no draft any more', async () => {
		const { editor, close } = open();
		editor.values.body = 'Same.';
		flushSync();
		close();
		await change({ body: 'Same.' });
		const again = open().editor;
		await until(async () => (await stored()).length === 0);
		expect(again.restored).toBeNull();
	});

	it('is bounded in number, age and size, and what was let go of is counted', async () => {
		const row = (id: string, at: string) => ({
			id,
			place: 'new/notes/notes/',
			written: { title: id },
			opened: {},
			seen: {},
			at
		});
		const now = Date.now();
		const ages = Array.from({ length: DRAFTS_KEPT + 2 }, (_, index) => new Date(now - index * 1000).toISOString());
		await replica.db.drafts.bulkAdd(ages.map((at, index) => row(`d${index}`, at)));
		await replica.db.drafts.add(row('old', new Date(now - (DRAFT_DAYS + 1) * 86_400_000).toISOString()));
		await readDrafts();
		expect(await replica.db.drafts.count()).toBe(DRAFTS_KEPT);
		expect(await replica.db.drafts.get('old')).toBeUndefined();
		expect(drafts.dropped).toBe(3);
		expect(
			await keepDraft(replica, { ...row('long', ages[0]!), written: { body: 'x'.repeat(DRAFT_CHARACTERS) } })
		).toBe(false);
		expect(await keepDraft(replica, row('one more', new Date(now + 1000).toISOString()))).toBe(true);
		expect(await replica.db.drafts.count()).toBe(DRAFTS_KEPT);
		expect(drafts.dropped).toBe(4);
	});
});

describe('a draft and its write', () => {
	const write = (editor: Editor, draft: string | undefined) =>
		updateRecord(note.app, note.table, note.id, { body: editor.values.body }, editor.seen, draft);

	it('end in one transaction', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		flushSync();
		let before = 0;
		const transaction = vi.spyOn(replica.db, 'transaction');
		await editor.save(async (draft) => {
			before = await replica.db.drafts.count();
			transaction.mockClear();
			await write(editor, draft);
			// Nothing but the write's own transaction is needed for the draft to be gone.
			expect(await stored()).toEqual([]);
			expect(transaction).toHaveBeenCalledTimes(1);
		});
		expect(before).toBe(1);
		expect(live()?.data.body).toBe('Mine.');
		expect(drafts.at(place)).toEqual([]);
	});

	it('stay both where the write fails, and the form goes on', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		flushSync();
		vi.spyOn(replica.db.outbox, 'bulkAdd').mockRejectedValueOnce(new Error('no room'));
		await expect(editor.save((draft) => write(editor, draft))).rejects.toThrow();
		expect(live()?.data.body).toBe('The large one.');
		expect(await stored()).toMatchObject([{ written: { body: 'Mine.' } }]);
		editor.values.body = 'Mine, later.';
		flushSync();
		await until(async () => (await stored())[0]?.written.body === 'Mine, later.');
		await editor.save((draft) => write(editor, draft));
		expect(await stored()).toEqual([]);
		expect(live()?.data.body).toBe('Mine, later.');
	});

	it('the end of a draft fails with its write', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		flushSync();
		vi.spyOn(replica.db.drafts, 'delete').mockRejectedValueOnce(new Error('no room'));
		await expect(editor.save((draft) => write(editor, draft))).rejects.toThrow();
		expect(live()?.data.body).toBe('The large one.');
		expect(await replica.db.outbox.count()).toBe(1);
		expect(await stored()).toHaveLength(1);
	});

	it('no tab that closes meanwhile leaves the draft behind', async () => {
		const { editor, close } = open();
		editor.values.body = 'Mine.';
		flushSync();
		await editor.save(async (draft) => {
			editor.values.body = 'Mine and more.';
			flushSync();
			close();
			await write(editor, draft);
		});
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(await stored()).toEqual([]);
	});

	it('a refusal keeps the draft, and a form that adds several goes on', async () => {
		const { editor } = open();
		editor.values.body = 'Mine.';
		flushSync();
		expect(await editor.save(async () => false)).toBe(false);
		expect(await stored()).toHaveLength(1);
		const saving = editor.save((draft) => write(editor, draft), true);
		editor.values.title = 'The next one';
		flushSync();
		await saving;
		expect(live()?.data.body).toBe('Mine.');
		await until(async () => (await stored())[0]?.written.title === 'The next one');
	});
});
