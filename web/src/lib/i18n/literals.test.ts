import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type AST } from 'svelte/compiler';
import { describe, expect, it } from 'vitest';

/** Attributes that a person reads or hears. */
const SPOKEN = new Set([
	'alt',
	'aria-description',
	'aria-label',
	'aria-placeholder',
	'body',
	'hint',
	'label',
	'placeholder',
	'title'
]);
/** The product's own name, the names of keys, and addresses are the same in every language. */
const NAMES = /\b(?:Mana|Esc|Ctrl|Alt|Enter|Shift)\b|\S+\/\S*/g;
/** Elements whose text is code or an address. */
const CODE = new Set(['code', 'kbd', 'pre', 'script', 'style']);

interface Node {
	type: string;
	name?: string;
	[key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
	typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** Texts with letters that a component spells out instead of taking them from the messages. */
function literals(source: string): string[] {
	const found: string[] = [];
	const report = (text: unknown) => {
		const said = String(text).replace(NAMES, '').trim();
		if (/\p{L}{2}/u.test(said)) found.push(said);
	};
	/** Texts that an expression shows: `'Save'`, and both sides of `busy ? 'Saving' : 'Save'`. */
	const shown = (node: unknown): void => {
		if (!isNode(node)) return;
		if (node.type === 'Literal' && typeof node.value === 'string') report(node.value);
		if (node.type === 'TemplateLiteral')
			(node.quasis as { value: { cooked: string } }[]).forEach((q) => report(q.value.cooked));
		if (node.type === 'ConditionalExpression') [node.consequent, node.alternate].forEach(shown);
		if (node.type === 'LogicalExpression') [node.left, node.right].forEach(shown);
		if (node.type === 'BinaryExpression' && node.operator === '+') [node.left, node.right].forEach(shown);
	};
	const walk = (value: unknown): void => {
		if (Array.isArray(value)) return value.forEach(walk);
		if (!isNode(value)) return;
		if (value.type === 'Text') return report(value.data);
		if (value.type === 'ExpressionTag') return shown(value.expression);
		if (value.type === 'Attribute') {
			if (SPOKEN.has(value.name ?? '')) walk(value.value);
			return;
		}
		if (value.type === 'RegularElement' && CODE.has(value.name ?? '')) return;
		for (const key of [
			'fragment',
			'nodes',
			'attributes',
			'body',
			'consequent',
			'alternate',
			'fallback',
			'pending',
			'then',
			'catch'
		]) {
			walk(value[key]);
		}
	};
	const root: AST.Root = parse(source, { modern: true });
	walk(root.fragment);
	return found;
}

describe('components', () => {
	const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.svelte'));

	it.each(files)('take every text from the messages: %s', (file) => {
		expect(literals(readFileSync(join('src', file), 'utf8'))).toEqual([]);
	});

	it('with a text of their own are found', () => {
		const component = `<script>let busy = 'no text';</script>
			<p class="lead">Hello {name}, {busy ? 'Saving' : t('word.save')}</p>
			{#if busy}<button title="Go on" data-kind="button">{t('word.add')} {'and'} {\`more \${n}\`}</button>
			{:else}{#each list as one}<img alt="A cat" src="cat.png" />{:else}Nothing{/each}{/if}
			{#snippet row()}<Row label={t('x')} title="Row" />{/snippet}<code>GET /x</code><b>Mana</b>`;
		const expected = ['Hello', 'Saving', 'and', 'more', 'Go on', 'A cat', 'Nothing', 'Row'];
		expect(literals(component).toSorted()).toEqual(expected.toSorted());
	});
});
