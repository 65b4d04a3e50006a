/** The records whose form is open: a list shows each where it stood when its form was opened. */
import { SvelteMap } from 'svelte/reactivity';
import type { Row } from '$lib/core/types';
import { keyName } from '$lib/replica/rows';

const open = new SvelteMap<string, Row>();

/** Keeps a record in its lists, as it is now, until its form closes. Returns how to end that. */
export function holdRow(row: Row): () => void {
	const key = keyName(row);
	open.set(key, row);
	return () => {
		if (open.get(key) === row) open.delete(key);
	};
}

/** Whether a row is one that its open form holds. */
export function isHeld(row: Row): boolean {
	return open.get(keyName(row)) === row;
}

/**
 * The rows of a table as its lists place them: a record with an open form is as it was when the form was opened, also
 * where it moved, was ticked or deleted since. The same array where no form is open.
 */
export function heldRows(app: string, table: string, rows: readonly Row[]): readonly Row[] {
	const held = [...open.values()].filter((row) => row.app === app && row.table === table);
	if (held.length === 0) return rows;
	const ids = new Set(held.map(({ id }) => id));
	return [...rows.filter(({ id }) => !ids.has(id)), ...held];
}

/** How much of a list is shown: `limit`, or more where an open form stands further down. */
export function shownLength(rows: readonly Row[], limit: number): number {
	return Math.max(limit, rows.findLastIndex(isHeld) + 1);
}
