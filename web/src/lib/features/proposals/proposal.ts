/** A proposal as people read it, drawn from its stored operations and never from the model's prose. */
import { missions } from '$lib/features/missions/missions.svelte';
import { t } from '$lib/i18n';
import { label, moduleOf } from '$lib/features/records/modules.svelte';
import type { Data, Difference, Op, Operation, Proposal, Row } from '$lib/core/types';
import { cardOf } from './card';
import { fieldLabel, metaParts, recordAt, thing, valueText } from '$lib/features/records/fields';
import { moduleName, tableOf, titleOf } from '$lib/features/records/titles';
import { DAYS_KEPT } from '$lib/features/trash/trash';

/** A field before and after. */
export interface FieldChange {
	field: string;
	label: string;
	before: string;
	after: string;
}

/** The marks of a proof-reader: a caret for new, two arrows for a change, a stroke for a removal. */
export const MARK: Record<Op, string> = { insert: 'caret', update: 'change', delete: 'strike' };

/** The mark of a proposal; one that can't be carried out here has the mark of a failure. */
export function markOf(p: Proposal): string {
	return p.op ? MARK[p.op] : 'fail';
}

/** The first operation. A proposal whose tool is unknown here has none. */
function first(p: Proposal): Omit<Operation, 'op'> & { op: Op | null } {
	return p.operations[0] ?? { op: p.op, app: p.app, table: '', id: p.id };
}

/** The table that a proposal lands in. */
export function tableNameOf(p: Proposal): string {
	return first(p).table;
}

/** The record that a change or a removal touches, as it is now. */
export function touchedRow(p: Proposal): Row | undefined {
	const op = first(p);
	return op.op === 'insert' || !op.table ? undefined : recordAt(op.app, op.table, op.id);
}

/** The record's data after approval: its place in a list follows from this. */
export function landing(p: Proposal): Data {
	return { ...touchedRow(p)?.data, ...first(p).set };
}

/** The title of what is proposed. */
export function proposalTitle(p: Proposal): string {
	const op = first(p);
	if (!op.table) return t('prop.unknown', { tool: p.tool });
	const data = op.op === 'insert' ? op.set : (touchedRow(p)?.data ?? seenData(p, op));
	return data ? titleOf(op.app, op.table, data) : op.id;
}

/** The values that a proposal was made upon, where the record is not here any more. */
function seenData(p: Proposal, op: { app: string; table: string; id: string }): Data | undefined {
	const seen = p.seen[`${op.app}/${op.table}/${op.id}`];
	return seen && Object.fromEntries(Object.entries(seen).map(([field, { value }]) => [field, value]));
}

/** “New task”, “Change to a task”, in the words of the tool. */
export function proposalKind(p: Proposal): string {
	const tool = moduleOf(p.module)?.tools?.find((one) => one.name === p.tool);
	return label(tool?.label) || p.tool;
}

/** The effect of an approval, in a sentence. */
export function proposalEffect(p: Proposal): string {
	const op = first(p);
	const names = { thing: thing(op.app, op.table), module: moduleName(op.app) };
	if (op.op === 'insert') return t('prop.effectInsert', names);
	if (op.op === 'delete') return t('prop.effectDelete', { ...names, days: DAYS_KEPT });
	if (!op.op) return t('prop.effectNone');
	const card = cardOf(p);
	// The card says so itself.
	if (card.changesNothing) return '';
	const changed = card.operations[0]?.fields.filter(({ change }) => change !== 'same') ?? [];
	const isPage = tableOf(op.app, op.table)?.singleton;
	return t(isPage ? 'prop.effectPage' : 'prop.effectUpdate', { ...names, count: changed.length });
}

/** The yes to a proposal: a removal is named, so that nobody takes it for another yes. */
export function yesWord(p: Proposal): string {
	const gone = p.operations.find(({ op }) => op === 'delete');
	return gone ? t('prop.remove', { thing: thing(gone.app, gone.table) }) : t('prop.approve');
}

/** Where it would land: “in Tasks”. */
export function proposalPlace(p: Proposal): string {
	return t('prop.in', { module: moduleName(first(p).app) });
}

/** The line under the title of something new. */
export function proposalMeta(p: Proposal): string[] {
	const op = first(p);
	return op.op === 'insert' ? metaParts(op.app, op.table, op.set ?? {}) : [];
}

/** Field by field, what a change would do; one line for every operation's field. */
export function proposalChanges(p: Proposal): FieldChange[] {
	return p.operations.flatMap((op, i) => {
		if (op.op !== 'update') return [];
		const fields = tableOf(op.app, op.table)?.fields ?? {};
		const seen = p.seen[`${op.app}/${op.table}/${op.id}`] ?? {};
		const row = recordAt(op.app, op.table, op.id);
		const prefix = i > 0 ? `${titleOf(op.app, op.table, row?.data)}: ` : '';
		return Object.entries(op.set ?? {})
			.filter(([name, value]) => JSON.stringify(seen[name]?.value ?? null) !== JSON.stringify(value ?? null))
			.map(([name, value]) => {
				const before = valueText(op.app, name, fields[name], seen[name]?.value);
				const after = valueText(op.app, name, fields[name], value) || t('word.none');
				return { field: name, label: prefix + fieldLabel(op.app, op.table, name, true), before, after };
			});
	});
}

/**
 * A stale proposal as it would be carried out on top of what the refusal found there: its card says each field as it is
 * now, and as it would be then.
 */
export function onTop(p: Proposal, moved: Difference): Proposal {
	const proposed = Object.entries(moved).map(([field, { proposed: value }]) => [field, value] as const);
	return {
		...p,
		id: `${p.id} on top`,
		opsHash: JSON.stringify(moved),
		seen: {},
		operations: p.operations.map((op) =>
			op.op === 'delete' ? op : { ...op, set: { ...op.set, ...Object.fromEntries(proposed) } }
		)
	};
}

/** Whether the run behind a proposal was the outline maker, which is no AI. */
export function isOutline(missionId: string, iterationId: string): boolean {
	return missions.get(missionId)?.iterations.find((run) => run.id === iterationId)?.model === 'builtin/outline';
}

/** A card on a page, with what became of it there (`held.svelte.ts`). */
export interface PlacedCard {
	proposal: Proposal;
	state: 'open' | 'changed' | 'closed' | 'settled';
	/** The record that it touches, as it was when the page first showed the card. */
	row?: Row;
}

/** A list entry: a record, or a card at the place where its record would land. */
export type Entry<Card extends PlacedCard = PlacedCard> = { key: string; row: Row } | { key: string; card: Card };

/** The data by which a card has its place in a list. */
export function placeData({ proposal, row }: PlacedCard): Data {
	return row?.data ?? landing(proposal);
}

/**
 * Puts cards among the records that they belong to: a change or a removal stands where its record stood when the page
 * first showed the card, something new where it would land. A record whose card still asks is not shown beside it,
 * unless a person has opened it (`opened`): it then stands above what is proposed for it.
 */
export function place<Card extends PlacedCard>(
	rows: readonly Row[],
	cards: readonly Card[],
	compare: (a: Data, b: Data, aRow?: Row, bRow?: Row) => number,
	opened?: string | null
): Entry<Card>[] {
	if (!cards.length) return rows.map((row) => ({ key: row.id, row }));
	const asks = cards.filter(({ state, row }) => row && (state === 'open' || state === 'changed'));
	const hidden = new Set(asks.map(({ row }) => row!.id));
	const pending = cards
		.map((card) => ({ card, data: placeData(card), row: card.row }))
		.sort((a, b) => compare(a.data, b.data, a.row, b.row));
	const out: Entry<Card>[] = [];
	const put = ({ card }: (typeof pending)[number]) => out.push({ key: card.proposal.id, card });
	for (const row of rows) {
		while (pending.length && compare(pending[0]!.data, row.data, pending[0]!.row, row) < 0) put(pending.shift()!);
		if (!hidden.has(row.id) || row.id === opened) out.push({ key: row.id, row });
		while (pending[0]?.row?.id === row.id && compare(pending[0].data, row.data, pending[0].row, row) === 0)
			put(pending.shift()!);
	}
	pending.forEach(put);
	return out;
}
