import type { ExtraBody, ExtraView } from './gateway';

/** A header as its form has it. The value of a saved one stays where none is written. */
export interface HeaderRow {
	name: string;
	value: string;
	/** The name under which a value is saved. */
	kept?: string;
}

/** The rows of saved headers. */
export const rowsOf = (extra: ExtraView | undefined): HeaderRow[] =>
	(extra?.headers ?? []).map((name) => ({ name, value: '', kept: name }));

/** The text of saved fields; empty where there are none. */
export const textOf = (extra: ExtraView | undefined): string =>
	extra && Object.keys(extra.body).length ? JSON.stringify(extra.body, null, 2) : '';

/** The faults of the entries, by place. */
export interface ExtraFaults {
	/** The rows without a name or without a value. */
	rows: number[];
	body: boolean;
}

/** The entries as the server takes them, or their faults. Rows in which nothing is written are left out. */
export function extraOf(name: string, rows: readonly HeaderRow[], text: string): ExtraBody | ExtraFaults {
	const headers: Record<string, string | null> = {};
	const faults: ExtraFaults = { rows: [], body: false };
	rows.forEach((row, at) => {
		const header = row.name.trim();
		const value = row.value.trim();
		const stays = !value && row.kept === header;
		if (!header && !value && !row.kept) return;
		if (!header || !(value || stays)) faults.rows.push(at);
		else headers[header] = stays ? null : value;
	});
	let body: Record<string, unknown> = {};
	if (text.trim()) {
		try {
			const read: unknown = JSON.parse(text);
			if (typeof read === 'object' && read !== null && !Array.isArray(read)) body = read as Record<string, unknown>;
			else faults.body = true;
		} catch {
			faults.body = true;
		}
	}
	return faults.rows.length || faults.body ? faults : { name, headers, body };
}
