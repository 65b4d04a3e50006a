/**
 * The table of field kinds in the browser: a row for each `FieldType` of the generated schema.
 *
 * Every difference between kinds on a page stands in a row here, and each row says every property, so that a new kind
 * is a type error until its row is whole; ESLint refuses a spread in a row and a branch on a kind in another file.
 * `docs/how-to/add-a-field-kind.md` walks through it.
 */
import type { HTMLInputAttributes } from 'svelte/elements';
import { collection } from '$lib/replica/collection.svelte';
import { recurrenceWords } from '$lib/core';
import { i18n, t } from '$lib/i18n';
import type { Field, FieldType } from '$lib/core/types';
import { excerpt } from '$lib/markdown/text';
import { dayWord, exactNumber, minutesText, today, when } from '$lib/primitives/format';
import { plainText } from '$lib/primitives/text';
import { isoOfLocal, localOfIso } from './inputs';
import { readWords } from './timeWords';
import { label } from './modules.svelte';
import { titleOf } from './titles';

/** A value to choose, and its name. */
export interface Choice {
	value: string;
	text: string;
}

/** The control of a form for a kind. */
export type FieldControl =
	| { control: 'checkbox' }
	| { control: 'select'; choices: (field: Field, app: string) => Choice[] }
	| { control: 'textarea'; rows: number; textFromValue: (value: unknown) => string }
	| {
			control: 'line';
			attributes: (field: Field) => HTMLInputAttributes;
			textFromValue: (value: unknown) => string;
			/** The value of what is typed; null where the line is empty. */
			valueFromText: (text: string) => unknown;
			/** `change` where half a value can't be read back, so that the line is read when it is left. */
			readAt: 'input' | 'change';
	  };

/** The field that a value belongs to. */
export interface FieldContext {
	/** The module that a reference without one means. */
	app: string;
	name: string;
	field: Field | undefined;
}

/** The properties that all fields of a kind share on a page. */
export interface FieldUi {
	control: FieldControl;
	/** The value to store for the value of the control. A value that does not fit stays; the check names the fault. */
	parse: (value: unknown) => unknown;
	/** The value, which is not empty, as a line of text in rows and cards. */
	text: (value: unknown, context: FieldContext) => string;
	/** The order of two values, neither empty, in a list sorted upwards. */
	compare: (a: unknown, b: unknown) => number;
	/** The way the record's detail shows the value. `none`: neither detail nor form shows it, only a page of its own. */
	display: 'line' | 'link' | 'markdown' | 'none';
	/** Whether a line of values names the field; otherwise the value speaks for itself. */
	needsLabel: boolean;
	/** Whether values are long texts: last in a form, over its whole width. */
	isLong: boolean;
	/** Whether a list sorted by the field is divided by its days. */
	hasDays: boolean;
	/** The message of the code `type`. */
	typeError: () => string;
	/** The message of the code `max`. */
	maxError: (field: Field | undefined) => string;
	/** The message of the code that has the kind's name; null shows the core's own message. */
	formatError: (() => string) | null;
}

/** Minutes are a length; everything else keeps its number. */
export function isMinutes(name: string): boolean {
	return /minutes$/i.test(name);
}

const compareTexts = (a: unknown, b: unknown) => plainText(a).localeCompare(plainText(b));

const compareNumbers = (a: unknown, b: unknown) =>
	typeof a === 'number' && typeof b === 'number' ? a - b : compareTexts(a, b);

function line(type: string, more: Partial<Extract<FieldControl, { control: 'line' }>> = {}): FieldControl {
	return {
		control: 'line',
		attributes: () => ({ type }),
		textFromValue: plainText,
		valueFromText: (text) => (text === '' ? null : text),
		readAt: 'input',
		...more
	};
}

const writtenLine = (type: string) =>
	line(type, { attributes: (field) => ({ type, maxlength: field.max, autocomplete: 'off' }) });

const numberLine = (inputmode: 'numeric' | 'decimal', step: number | 'any') =>
	line('number', {
		attributes: (field) => ({ type: 'number', inputmode, step, min: field.min, max: field.max }),
		valueFromText: (text) => (text === '' ? null : Number(text))
	});

const asIs = (value: unknown) => value;
const wrongType = () => t('error.type');
const noNumber = () => t('error.number');
const noDate = () => t('error.date');
const outOfRange = () => t('error.range');
const tooLong = (field: Field | undefined) => t('error.tooLong', { max: field?.max ?? 0 });

function measureText(value: unknown, { name }: FieldContext): string {
	if (typeof value !== 'number') return plainText(value);
	if (!isMinutes(name)) return exactNumber(value);
	const whole = Number.isSafeInteger(value) && value > 0;
	return whole ? minutesText(value) : t('time.minutes', { count: exactNumber(value) });
}

function dateText(value: unknown): string {
	const text = plainText(value);
	return /^\d{4}-\d\d-\d\d$/.test(text) ? dayWord(text) : text;
}

function instantText(value: unknown): string {
	const text = plainText(value);
	const date = new Date(text);
	return Number.isNaN(date.getTime()) ? text : when(date);
}

function choiceText(value: unknown, { field }: FieldContext): string {
	const choice = field?.values?.find((v) => (typeof v === 'string' ? v : v.value) === value);
	return choice && typeof choice !== 'string' ? label(choice.label) : plainText(value);
}

function valueChoices(field: Field): Choice[] {
	return (field.values ?? []).map((v) =>
		typeof v === 'string' ? { value: v, text: v } : { value: v.value, text: label(v.label) }
	);
}

function referenceText(value: unknown, { app, field }: FieldContext): string {
	const module = field?.module ?? app;
	const records = field?.table ? collection(module, field.table) : undefined;
	const row = records?.get(plainText(value));
	if (row) return titleOf(module, row.table, row.data);
	return records?.ready ? t('word.removed') : '';
}

function recordChoices(field: Field, app: string): Choice[] {
	if (!field.table) return [];
	return collection(field.module ?? app, field.table)
		.rows.map((row) => ({ value: row.id, text: titleOf(row.app, row.table, row.data) }))
		.sort((a, b) => a.text.localeCompare(b.text));
}

function tagsText(value: unknown): string {
	return Array.isArray(value) ? value.join(', ') : plainText(value);
}

function tagsFromText(text: string): string[] {
	return text
		.split(',')
		.map((tag) => tag.trim())
		.filter(Boolean);
}

/** A recurrence in words; one that cannot be read as it stands. */
function recurrenceText(value: unknown): string {
	try {
		return recurrenceWords(value, today(), i18n.locale);
	} catch {
		return jsonText(value);
	}
}

/** The recurrence that is typed, in words or as a rule of RFC 5545; it counts from the day of its record. */
function recurrenceFromText(text: string): unknown {
	if (text.trim() === '') return null;
	if (/^(rrule:)?freq=/i.test(text.trim())) return { rule: text.trim() };
	const { title, when } = readWords(text);
	if (title || !when?.recurrence) return text;
	return Object.fromEntries(Object.entries(when.recurrence).filter(([part]) => part !== 'start'));
}

function jsonText(value: unknown): string {
	return typeof value === 'object' && value ? JSON.stringify(value, null, 2) : plainText(value);
}

function jsonFromText(value: unknown): unknown {
	if (typeof value !== 'string') return value;
	try {
		return JSON.parse(value) as unknown;
	} catch {
		return value;
	}
}

/** The row of each kind. */
export const FIELD_UI: Record<FieldType, FieldUi> = {
	text: {
		control: writtenLine('text'),
		parse: asIs,
		text: plainText,
		compare: compareTexts,
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: null
	},
	markdown: {
		control: { control: 'textarea', rows: 4, textFromValue: plainText },
		parse: asIs,
		text: (value) => excerpt(plainText(value)),
		compare: compareTexts,
		display: 'markdown',
		needsLabel: false,
		isLong: true,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: null
	},
	number: {
		control: numberLine('decimal', 'any'),
		parse: asIs,
		text: measureText,
		compare: compareNumbers,
		display: 'line',
		needsLabel: true,
		isLong: false,
		hasDays: false,
		typeError: noNumber,
		maxError: outOfRange,
		formatError: null
	},
	integer: {
		control: numberLine('numeric', 1),
		parse: asIs,
		text: measureText,
		compare: compareNumbers,
		display: 'line',
		needsLabel: true,
		isLong: false,
		hasDays: false,
		typeError: noNumber,
		maxError: outOfRange,
		formatError: null
	},
	boolean: {
		control: { control: 'checkbox' },
		parse: asIs,
		text: (value) => (value ? t('word.yes') : t('word.no')),
		compare: compareTexts,
		display: 'line',
		needsLabel: true,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: null
	},
	date: {
		control: line('date'),
		parse: asIs,
		text: dateText,
		compare: compareTexts,
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: noDate
	},
	datetime: {
		control: line('datetime-local', {
			textFromValue: (value) => localOfIso(plainText(value)),
			valueFromText: isoOfLocal
		}),
		parse: asIs,
		text: instantText,
		compare: compareTexts,
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: true,
		typeError: wrongType,
		maxError: tooLong,
		formatError: noDate
	},
	time: {
		control: line('time'),
		parse: asIs,
		text: plainText,
		compare: compareTexts,
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: noDate
	},
	recurrence: {
		control: line('text', {
			attributes: () => ({ type: 'text', autocomplete: 'off', placeholder: t('words.repeatExample') }),
			textFromValue: recurrenceText,
			valueFromText: recurrenceFromText,
			readAt: 'change'
		}),
		parse: asIs,
		text: recurrenceText,
		compare: (a, b) => recurrenceText(a).localeCompare(recurrenceText(b)),
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: () => t('error.recurrence')
	},
	enum: {
		control: { control: 'select', choices: valueChoices },
		parse: asIs,
		text: choiceText,
		compare: compareTexts,
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: wrongType
	},
	ref: {
		control: { control: 'select', choices: recordChoices },
		parse: asIs,
		text: referenceText,
		compare: compareTexts,
		display: 'line',
		needsLabel: true,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: wrongType
	},
	tags: {
		control: line('text', {
			textFromValue: tagsText,
			valueFromText: tagsFromText,
			readAt: 'change'
		}),
		parse: asIs,
		text: tagsText,
		compare: compareTexts,
		display: 'line',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: null
	},
	url: {
		control: writtenLine('url'),
		parse: asIs,
		text: plainText,
		compare: compareTexts,
		display: 'link',
		needsLabel: false,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: () => t('error.url')
	},
	keyedList: {
		control: writtenLine('text'),
		parse: asIs,
		text: plainText,
		compare: compareTexts,
		display: 'none',
		needsLabel: true,
		isLong: false,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: null
	},
	json: {
		control: { control: 'textarea', rows: 3, textFromValue: jsonText },
		parse: jsonFromText,
		text: plainText,
		compare: compareTexts,
		display: 'line',
		needsLabel: true,
		isLong: true,
		hasDays: false,
		typeError: wrongType,
		maxError: tooLong,
		formatError: null
	}
};

/** The row of a field; a field that no manifest here knows is a text. */
export function fieldUi(field: Field | undefined): FieldUi {
	return FIELD_UI[field?.type ?? 'text'];
}

/** Whether a word is the name of a kind. */
export function isFieldType(word: string): word is FieldType {
	return Object.hasOwn(FIELD_UI, word);
}
