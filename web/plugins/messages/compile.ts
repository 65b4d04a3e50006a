/** Compiles ICU MessageFormat into the form that `src/lib/i18n/format.ts` formats. */
import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser';
import type { Cases, Compiled, Part } from '../../src/lib/i18n/compiled';

/** The type that an argument must have: `number` where a plural or `#` reads it, `string` where a select does. */
export type ArgumentKind = 'value' | 'number' | 'string';

export interface CompiledMessage {
	compiled: Compiled;
	arguments: Map<string, ArgumentKind>;
	/** The plural categories that each plural of the message spells out. */
	plurals: { kind: 'plural' | 'ordinal'; categories: string[] }[];
}

/** Compiles one message. Throws with the parser's reason where the syntax is wrong or a format is not supported. */
export function compileMessage(source: string): CompiledMessage {
	const result: CompiledMessage = { compiled: '', arguments: new Map(), plurals: [] };
	// Tags are plain text here: rich parts of a sentence are arguments, which the component draws.
	const elements = parse(source, { ignoreTag: true, shouldParseSkeletons: false });
	result.compiled = compileElements(elements, result);
	return result;
}

function compileElements(
	elements: MessageFormatElement[],
	result: CompiledMessage,
	plural?: { argument: string; offset: number }
): Compiled {
	const parts = elements.map((element) => compileElement(element, result, plural));
	if (parts.every((part) => typeof part === 'string')) return parts.join('');
	return parts;
}

function compileElement(
	element: MessageFormatElement,
	result: CompiledMessage,
	plural?: { argument: string; offset: number }
): Part {
	switch (element.type) {
		case TYPE.literal:
			return element.value;
		case TYPE.argument:
			note(result, element.value, 'value');
			return [element.value];
		case TYPE.pound:
			if (!plural) throw new Error('`#` stands outside of a plural');
			return [plural.argument, 'number', plural.offset];
		case TYPE.number:
			if (element.style) throw new Error(`number styles are not supported: {${element.value}}`);
			note(result, element.value, 'number');
			return [element.value, 'number', 0];
		case TYPE.select:
			note(result, element.value, 'string');
			return [element.value, 'select', compileCases(element.options, result, plural)];
		case TYPE.plural: {
			note(result, element.value, 'number');
			const kind = element.pluralType === 'ordinal' ? 'ordinal' : 'plural';
			const categories = Object.keys(element.options).filter((name) => !name.startsWith('='));
			result.plurals.push({ kind, categories });
			const inside = { argument: element.value, offset: element.offset };
			return [element.value, kind, compileCases(element.options, result, inside), element.offset];
		}
		default:
			throw new Error(`dates and times are formatted by the caller: {${element.value}}`);
	}
}

function compileCases(
	options: Record<string, { value: MessageFormatElement[] }>,
	result: CompiledMessage,
	plural?: { argument: string; offset: number }
): Cases {
	const entries = Object.entries(options);
	return Object.fromEntries(entries.map(([name, { value }]) => [name, compileElements(value, result, plural)]));
}

/** Keeps the narrower kind where an argument is used twice. */
function note(result: CompiledMessage, argument: string, kind: ArgumentKind): void {
	const known = result.arguments.get(argument);
	if (known && known !== 'value' && kind !== 'value' && known !== kind) {
		throw new Error(`{${argument}} is used as a ${known} and as a ${kind}`);
	}
	if (!known || known === 'value') result.arguments.set(argument, kind);
}
