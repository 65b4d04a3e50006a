/** What a form of its own (a mission's, an agent's) changes of its record. */
import type { Data } from '$lib/core/types';
import { alike, type Editor, type LiveRecord } from './editor.svelte';

export interface FormChanges<T> {
	/** The fields that are written. */
	set: Partial<T>;
	/** The stamps of what the form was opened on. */
	seen: Record<string, string>;
	/** Whether the record was deleted, and is brought back. */
	gone: boolean;
	/** The form's draft, which ends with the write. */
	draft?: string;
}

/** The fields of `data` that differ from what the form was opened on. `toData`: a form's values as they are written. */
export function changesOf<T extends object>(editor: Editor, data: T, toData: (values: Data) => T): FormChanges<T> {
	const before = toData(editor.base) as Data;
	const set = Object.fromEntries(Object.entries(data).filter(([field, value]) => !alike(value, before[field])));
	return { set: set as Partial<T>, seen: editor.seen, gone: editor.gone };
}

/** A live record with its data as a form shows them. */
export function shownRecord(live: LiveRecord | undefined, shownOf: (data: Data) => Data): LiveRecord | undefined {
	return live && { ...live, data: live.deleted ? live.data : shownOf(live.data) };
}
