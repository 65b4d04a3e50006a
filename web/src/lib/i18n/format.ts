/** Formats compiled messages. Everything that depends on a language follows its Intl tag. */
import { isolated } from '$lib/core';
import type { Cases, Compiled, Part } from './compiled';

export type Value = string | number;
export type Values = Readonly<Record<string, Value | undefined>>;

/** A piece of a formatted message, with the argument that it comes from, if any. */
export interface MessagePart {
	text: string;
	argument?: string;
}

const numberFormats = new Map<string, Intl.NumberFormat>();
const pluralRules = new Map<string, Intl.PluralRules>();

/** A number in the digits and separators of a language. */
export function formatNumber(value: number, intl: string, options?: Intl.NumberFormatOptions): string {
	const key = options ? intl + JSON.stringify(options) : intl;
	let format = numberFormats.get(key);
	if (!format) numberFormats.set(key, (format = new Intl.NumberFormat(intl, options)));
	return format.format(value);
}

/** The pieces of a message in order. An argument without a value stays visible as `{name}`. */
export function formatParts(message: Compiled, values: Values, intl: string): MessagePart[] {
	if (typeof message === 'string') return message === '' ? [] : [{ text: message }];
	return message.flatMap((part) => formatPart(part, values, intl));
}

/** A message as one text. */
export function formatText(message: Compiled, values: Values, intl: string): string {
	if (typeof message === 'string') return message;
	return formatParts(message, values, intl)
		.map((part) => part.text)
		.join('');
}

function formatPart(part: Part, values: Values, intl: string): MessagePart[] {
	if (typeof part === 'string') return [{ text: part }];
	const [argument] = part;
	const value = values[argument];
	if (value === undefined) return [{ text: `{${argument}}`, argument }];
	if (part.length === 1)
		return [{ text: typeof value === 'number' ? formatNumber(value, intl) : isolated(value), argument }];
	switch (part[1]) {
		case 'number':
			return [{ text: formatNumber(Number(value) - part[2], intl), argument }];
		case 'select':
			return formatParts(caseOf(part[2], String(value)), values, intl);
		default:
			return formatParts(pluralCase(part[2], Number(value), part[3], part[1], intl), values, intl);
	}
}

function caseOf(cases: Cases, name: string): Compiled {
	return (Object.hasOwn(cases, name) ? cases[name] : cases.other) ?? '';
}

function pluralCase(cases: Cases, value: number, offset: number, kind: 'plural' | 'ordinal', intl: string): Compiled {
	const exact = cases[`=${value}`];
	if (exact !== undefined) return exact;
	const type = kind === 'ordinal' ? 'ordinal' : 'cardinal';
	const key = type + intl;
	let rules = pluralRules.get(key);
	if (!rules) pluralRules.set(key, (rules = new Intl.PluralRules(intl, { type })));
	return caseOf(cases, rules.select(value - offset));
}
