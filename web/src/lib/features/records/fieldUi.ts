/**
 * The table of field kinds in the browser: a row for each `FieldType` of the generated schema.
 *
 * Every difference between kinds on a page stands in a row here, so that a new kind is a type error until its row is
 * whole. `docs/how-to/add-a-field-kind.md` walks through it.
 */
import type { HTMLInputAttributes } from 'svelte/elements';
import { collection } from '$lib/replica/collection.svelte';
import { numberText, t } from '$lib/i18n';
import type { Field, FieldType } from '$lib/core/types';
import { excerpt } from '$lib/markdown/text';
import { dayWord, minutesText, when } from '$lib/primitives/format';
import { plainText } from '$lib/primitives/text';
import { isoOfLocal, localOfIso } from './inputs';
import { label } from './modules.svelte';
import { titleOf } from './titles';

/** The control of a form for a kind. */
export type FieldControl =
	| { control: 'checkbox' }
	/** The choices of an enum, or the records of a reference. */
	| { control: 'select' }
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

const TEXT: FieldUi = {
	control: writtenLine('text'),
	parse: (value) => value,
	text: plainText,
	compare: compareTexts,
	display: 'line',
	needsLabel: false,
	isLong: false,
	hasDays: false,
	typeError: () => t('error.type'),
	maxError: (field) => t('error.tooLong', { max: field?.max ?? 0 }),
	formatError: null
};

const NUMBER: FieldUi = {
	...TEXT,
	control: numberLine('decimal', 'any'),
	text: (value, { name }) => {
		if (typeof value !== 'number') return plainText(value);
		return isMinutes(name) ? minutesText(value) : numberText(value);
	},
	compare: compareNumbers,
	needsLabel: true,
	typeError: () => t('error.number'),
	maxError: () => t('error.range')
};

/** The row of each kind. */
export const FIELD_UI: Record<FieldType, FieldUi> = {
	text: TEXT,
	markdown: {
		...TEXT,
		control: { control: 'textarea', rows: 4, textFromValue: plainText },
		text: (value) => excerpt(plainText(value)),
		display: 'markdown',
		isLong: true
	},
	number: NUMBER,
	integer: { ...NUMBER, control: numberLine('numeric', 1) },
	boolean: {
		...TEXT,
		control: { control: 'checkbox' },
		text: (value) => (value ? t('word.yes') : t('word.no')),
		needsLabel: true
	},
	date: {
		...TEXT,
		control: line('date'),
		text: (value) => {
			const text = plainText(value);
			return /^\d{4}-\d\d-\d\d$/.test(text) ? dayWord(text) : text;
		},
		formatError: () => t('error.date')
	},
	datetime: {
		...TEXT,
		control: line('datetime-local', {
			textFromValue: (value) => localOfIso(plainText(value)),
			valueFromText: isoOfLocal
		}),
		text: (value) => {
			const text = plainText(value);
			const date = new Date(text);
			return Number.isNaN(date.getTime()) ? text : when(date);
		},
		hasDays: true,
		formatError: () => t('error.date')
	},
	time: { ...TEXT, control: line('time'), formatError: () => t('error.date') },
	enum: {
		...TEXT,
		control: { control: 'select' },
		text: (value, { field }) => {
			const choice = field?.values?.find((v) => (typeof v === 'string' ? v : v.value) === value);
			return choice && typeof choice !== 'string' ? label(choice.label) : plainText(value);
		},
		formatError: () => t('error.type')
	},
	ref: {
		...TEXT,
		control: { control: 'select' },
		text: (value, { app, field }) => {
			const module = field?.module ?? app;
			const records = field?.table ? collection(module, field.table) : undefined;
			const row = records?.get(plainText(value));
			if (row) return titleOf(module, row.table, row.data);
			return records?.ready ? t('word.removed') : '';
		},
		needsLabel: true,
		formatError: () => t('error.type')
	},
	tags: {
		...TEXT,
		control: line('text', {
			textFromValue: tagsText,
			valueFromText: (text) =>
				text
					.split(',')
					.map((tag) => tag.trim())
					.filter(Boolean),
			readAt: 'change'
		}),
		text: tagsText
	},
	url: { ...TEXT, control: writtenLine('url'), display: 'link', formatError: () => t('error.url') },
	keyedList: { ...TEXT, display: 'none', needsLabel: true },
	json: {
		...TEXT,
		control: {
			control: 'textarea',
			rows: 3,
			textFromValue: (value) => (typeof value === 'object' && value ? JSON.stringify(value, null, 2) : plainText(value))
		},
		parse: (value) => {
			if (typeof value !== 'string') return value;
			try {
				return JSON.parse(value) as unknown;
			} catch {
				return value;
			}
		},
		needsLabel: true,
		isLong: true
	}
};

function tagsText(value: unknown): string {
	return Array.isArray(value) ? value.join(', ') : plainText(value);
}

/** The row of a field; a field that no manifest here knows is a text. */
export function fieldUi(field: Field | undefined): FieldUi {
	return FIELD_UI[field?.type ?? 'text'];
}

/** Whether a word is the name of a kind. */
export function isFieldType(word: string): word is FieldType {
	return Object.hasOwn(FIELD_UI, word);
}
