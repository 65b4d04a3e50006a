/** The card of a proposal in the words of this device: the core says what it shows, this file how it is written. */
import { t } from '$lib/i18n';
import type { Core } from '$lib/core';
import { sameMeaning } from '$lib/core';
import type {
	Apart,
	CardField,
	CardOperation,
	CardUnit,
	CardValue,
	Proposal,
	ProposalCard,
	RecordKey,
	Row
} from '$lib/core/types';
import { recordAt } from '$lib/features/records/fields';
import { collection } from '$lib/replica/collection.svelte';
import { label } from '$lib/features/records/modules.svelte';
import { tableOf, titleOf } from '$lib/features/records/titles';
import { dayAndYear, exactNumber, instantAndYear, minutesText } from '$lib/primitives/format';
import { currentReplica } from '$lib/replica/current';
import { faceOf } from '$lib/replica/executor';
import { stateOf } from '$lib/replica/rows';

/** A card with all that it was made from. A row never changes: a write makes another one. */
interface MadeCard {
	core: Core;
	face: string;
	keys: readonly RecordKey[];
	rows: readonly (Row | undefined)[];
	/** Of each record the others of its title. */
	namesakes: readonly (readonly Row[])[];
	card: ProposalCard;
}

/** The most namesakes of a record that the core takes. */
const MOST_NAMESAKES = 50;

/** The most cards that are kept; the one that was asked for longest ago is made anew. */
export const CARDS_KEPT = 300;
const made = new Map<string, MadeCard>();

/**
 * Everything that a proposal's operations set, from the operations and the records as they are here. The body of a
 * card, its buttons and the page ask for the same card, so it is made once for each look.
 */
export function cardOf(proposal: Proposal): ProposalCard {
	const { core } = currentReplica();
	const face = `${proposal.tool} ${faceOf(proposal)}`;
	const last = made.get(proposal.id);
	const known = last?.core === core && last.face === face ? last : undefined;
	const keys = known?.keys ?? core.cardRecords(proposal);
	const rows = keys.map(({ app, table, id }) => recordAt(app, table, id));
	const namesakes = rows.map(namesakesOf);
	const same =
		known !== undefined &&
		rows.every((row, index) => row === known.rows[index]) &&
		namesakes.every((all, index) => isSameList(all, known.namesakes[index]!));
	const card = same
		? known.card
		: core.card(
				proposal,
				keys.map(({ app, table, id }, index) => ({ app, table, id, state: stateOf(rows[index]) })),
				keys.flatMap(({ app, table, id }, index) =>
					namesakes[index]!.map((row) => ({ app, table, id, state: stateOf(row) }))
				)
			);
	made.delete(proposal.id);
	made.set(proposal.id, { core, face, keys, rows, namesakes, card });
	const oldest = made.size > CARDS_KEPT ? made.keys().next().value : undefined;
	if (oldest !== undefined) made.delete(oldest);
	return card;
}

function isSameList(a: readonly Row[], b: readonly Row[]): boolean {
	return a.length === b.length && a.every((row, index) => row === b[index]);
}

/** What a row's title means; rows never change. */
const meanings = new WeakMap<Row, string>();
/** The rows of a table by what their titles mean. */
const byMeaning = new WeakMap<readonly Row[], Map<string, Row[]>>();

function meaningOf(row: Row): string {
	let meaning = meanings.get(row);
	if (meaning === undefined) {
		meaning = sameMeaning(titleOf(row.app, row.table, row.data));
		meanings.set(row, meaning);
	}
	return meaning;
}

/** Other records that could be taken for this one, for they have its title. */
function namesakesOf(row: Row | undefined): readonly Row[] {
	if (!row || tableOf(row.app, row.table)?.singleton) return [];
	const { rows } = collection(row.app, row.table);
	let index = byMeaning.get(rows);
	if (!index) {
		index = new Map();
		for (const one of rows) {
			const alike = index.get(meaningOf(one));
			if (alike) alike.push(one);
			else index.set(meaningOf(one), [one]);
		}
		byMeaning.set(rows, index);
	}
	const alike = index.get(meaningOf(row)) ?? [];
	return alike.length > 1 ? alike.filter(({ id }) => id !== row.id).slice(0, MOST_NAMESAKES) : [];
}

/**
 * The field that names the record, where it is made or removed and the card's own title says the whole value: a text.
 * The title of a page that there is only one of is the module's name.
 */
export function isTitleLine(operation: CardOperation, field: CardField): boolean {
	const value = operation.op === 'insert' ? field.after : operation.op === 'delete' ? field.before : undefined;
	if (field.role !== 'title' || value?.fit !== 'fits') return false;
	const { shown } = value;
	if (shown.kind !== 'text' || shown.text !== operation.title) return false;
	if (tableOf(operation.app, operation.table)?.singleton) return false;
	return field.text?.kind !== 'difference' && !(field.text?.kind === 'whole' && field.text.folds);
}

/** A value in full: days with their years, numbers with every digit and their unit. */
export function shownText({ shown }: CardValue, unit?: CardUnit | null): string {
	switch (shown.kind) {
		case 'empty':
			return t('word.none');
		case 'text':
			return shown.text;
		case 'number':
			return withUnit(shown.number, shown.digits, unit);
		case 'boolean':
			return t(shown.value ? 'word.yes' : 'word.no');
		case 'date':
			return dayAndYear(shown.date);
		case 'datetime':
			return instantAndYear(shown.at);
		case 'time':
			return shown.time;
		case 'recurrence':
			return `${label(shown.words)} (${shown.rule})`;
		case 'choice':
			return label(shown.label) || shown.value;
		case 'reference':
			if (shown.title == null) return untitled(shown);
			return shown.apart ? `${shown.title} (${apartText(shown.apart)})` : shown.title;
		case 'list':
			return '';
		case 'address':
			return shown.address;
		case 'json':
			return shown.json;
		case 'writeTime':
			return t('card.writeTime');
	}
}

/** What tells a record from others of its title. */
export function apartText(apart: Apart): string {
	return apart.kind === 'id' ? t('card.apartId', { id: apart.id }) : `${label(apart.label)}: ${shownText(apart.value)}`;
}

/** A reference to a record that the core knows no name of: it is not here, or has none, or is a page of its own. */
function untitled({ app, table, id }: Extract<CardValue['shown'], { kind: 'reference' }>): string {
	const row = recordAt(app, table, id);
	return row && !row.deleted ? `${titleOf(app, table, row.data)} (${id})` : t('card.notHere', { id });
}

/** `digits` is the number as JSON has it: where this device would read another one, it is shown as it stands. */
function withUnit(value: number, digits: string, unit: CardUnit | null | undefined): string {
	const count = String(value) === digits ? exactNumber(value) : digits;
	switch (unit?.kind) {
		case undefined:
			return count;
		case 'named':
			return `${count} ${unit.name}`;
		case 'minutes':
			return Number.isSafeInteger(value) && value > 0 ? minutesText(value) : t('time.minutes', { count });
		case 'seconds':
			return t('time.seconds', { count });
		case 'hours':
			return t('time.hours', { count });
		case 'days':
			return t('card.days', { count: value, text: count });
	}
}

/** A field's label, without the unit that its value is written with. */
export function fieldName(field: CardField): string {
	const text = label(field.label) || field.field;
	return field.unit?.kind === 'minutes' ? text.replace(/ in (minutes|Minuten)$/i, '') : text;
}

/** The texts of a card that may be folded and have to be opened before one approves, by operation and field. */
export function foldsOf(card: ProposalCard): string[] {
	return card.operations.flatMap((operation, index) =>
		operation.fields
			.filter((field) => field.text?.kind === 'whole' && field.text.folds)
			.map((field) => foldKey(index, field.field))
	);
}

/** The name of a text that folds, within its card. */
export function foldKey(operation: number, field: string): string {
	return `${operation}/${field}`;
}
