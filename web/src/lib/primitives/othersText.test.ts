import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shownExpressions, type TreeNode } from '$lib/testing/templates';

/**
 * Functions whose words are Mana's own, or a manifest's: messages, dates, numbers, labels. A message isolates what is
 * put into it (`isolated` in `i18n/format.ts`).
 */
const OWN_CALLS = new Set(
	(
		't numberText exactNumber number when whenShort headAt timeOf dayHead weekday weekdayName weekdayTiny ' +
		'shortDate longDate dayMonth shortDayMonth minutesText spanText bytesText numberWord relativeTime ' +
		'dayWord spentText moneyText budgetText cadenceText policySentence label moduleName thing fieldLabel ' +
		'fieldName errorText errorOf leaveOf proposalEffect proposalPlace pendingWord usual'
	).split(' ')
);

/** Names of values that are sentences of Mana's own, or numbers, in whatever component. */
const OWN_NAMES = new Set(
	'action budget busy date ended failed hint label lead note outcome percent pending said submit wait word'.split(' ')
);

/** What else is Mana's own, by component. */
const OWN: Record<string, readonly string[]> = {
	'lib/features/gateway/FactsForm.svelte': ['wrong.price', 'wrong.contextTokens'],
	'lib/features/gateway/KeyForm.svelte': ['text', 'wrong[field]', 'wrong.name'],
	'lib/features/gateway/ModelList.svelte': ['error'],
	'lib/features/gateway/PlotBars.svelte': ['text(top)', 'bar.label', 'text(bar.value)', 'bars[at]!.label'],
	'lib/features/gateway/ProviderForm.svelte': ['errors[field]', 'text', 'errors.form', 'protocol.label'],
	'lib/features/gateway/AliasForm.svelte': ['wrongName'],
	'lib/features/gateway/UsedBar.svelte': ['text'],
	'lib/features/history/PastTabs.svelte': ['count'],
	'lib/features/modulePages/ModuleList.svelte': ['pastCount'],
	'lib/features/modulePages/RecordRow.svelte': ['span', 'span.slice(0, 5)'],
	'lib/features/missions/CadencePicker.svelte': ['next.text', "zone.replace(/_/g, ' ')"],
	'lib/features/people/PersonSheet.svelte': ['word'],
	'lib/features/proposals/PlanView.svelte': ['yes'],
	'lib/features/proposals/Ghost.svelte': ['hour', 'spanOf(data, false).slice(0, 5)'],
	'lib/features/proposals/ProposalError.svelte': ['title'],
	'lib/features/runs/RunView.svelte': ['plain.then'],
	'lib/features/search/Search.svelte': ['item.group'],
	'lib/features/undo/UndoSheet.svelte': ['change.what', 'text'],
	// Its paragraphs are laid out by their own letters; a link's words stand in a `<bdi>`.
	'lib/markdown/Markdown.svelte': ['visible(line)', 'visible(nodes)', 'visible(node.value)'],
	'lib/features/workbench/Sentence.svelte': ['part.text'],
	'lib/primitives/Empty.svelte': ['title', 'body'],
	'lib/primitives/FormFrame.svelte': ['title', 'error', 'cancelWord'],
	'lib/primitives/Notice.svelte': ['text'],
	'lib/primitives/SafeText.svelte': ['part'],
	'lib/primitives/Sheet.svelte': ['title'],
	'lib/features/session/CodeField.svelte': ['error'],
	'lib/features/session/PasswordProof.svelte': ['submit'],
	'lib/features/session/ProfileForm.svelte': ["zone.replace(/_/g, ' ')", 'said'],
	'lib/features/session/RecoveryCodes.svelte': ['code'],
	'lib/shell/Shell.svelte': ['proposals.count', 'text', 'live.message'],
	'lib/shell/SyncState.svelte': ['detail'],
	'routes/(app)/companion/missions/+page.svelte': ['title', 'summary'],
	'routes/(app)/companion/missions/new/+page.svelte': ['title', 'summary'],
	'routes/(app)/companion/policy/+page.svelte': ['none'],
	'routes/(app)/companion/workbench/changes/+page.svelte': [
		'problem',
		'group.changes',
		'clockText(line.madeAt)',
		'removal(line)'
	],
	'routes/(app)/more/+page.svelte': ['text'],
	'routes/(app)/more/history/+page.svelte': ['deed(change)'],
	'routes/(app)/settings/keys/+page.svelte': ['base'],
	'routes/(app)/settings/usage/+page.svelte': ['first'],
	'routes/(app)/todo/+page.svelte': ['group.count'],
	'routes/(auth)/AuthPage.svelte': ['title']
};

/** The texts of a component that are shown as they came, wherever they came from. */
export function rawTexts(source: string, own: readonly string[] = []): string[] {
	const isOwn = (node: TreeNode, within?: string): boolean => {
		const text = source.slice(node.start, node.end);
		if (own.includes(text)) return true;
		const of = (key: string) => node[key] as TreeNode;
		const all = (key: string) => (node[key] as TreeNode[]).every((one) => isOwn(one, within));
		switch (node.type) {
			case 'Literal':
				return true;
			case 'Identifier':
				return OWN_NAMES.has(node.name!);
			case 'TemplateLiteral':
				return all('expressions');
			case 'ConditionalExpression':
				return isOwn(of('consequent'), within) && isOwn(of('alternate'), within);
			case 'LogicalExpression':
				return isOwn(of('left'), within) && isOwn(of('right'), within);
			case 'BinaryExpression':
				return of('right').type === 'Literal' || (isOwn(of('left'), within) && isOwn(of('right'), within));
			case 'ArrayExpression':
				return all('elements');
			case 'MemberExpression':
				return of('property').name === 'length';
			case 'CallExpression': {
				const callee = of('callee');
				// A choice or the name of a tab has no element in it to isolate the text; it stands alone there.
				if (callee.name === 'visible') return within === 'option' || within === 'title';
				if (OWN_CALLS.has(callee.name ?? '')) return true;
				// `[…].filter(Boolean).join(' ')`, and `.map` to words of our own.
				const name = (callee.property as TreeNode | undefined)?.name ?? '';
				if (name === 'map') {
					const [made] = node.arguments as TreeNode[];
					return made?.type === 'ArrowFunctionExpression' && isOwn(made.body as TreeNode, within);
				}
				return ['filter', 'join', 'toLocaleLowerCase'].includes(name) && isOwn(callee.object as TreeNode, within);
			}
			default:
				return false;
		}
	};
	return shownExpressions(source)
		.filter(({ expression, within }) => !isOwn(expression, within))
		.map(({ expression }) => source.slice(expression.start, expression.end).replace(/\s+/g, ' '));
}

describe('X1 components', () => {
	const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.svelte'));

	it.each(files)('show others’ texts through SafeText: %s', (file) => {
		expect(rawTexts(readFileSync(join('src', file), 'utf8'), OWN[file])).toEqual([]);
	});

	it('name no exception that is none', () => {
		const shown = (file: string) =>
			shownExpressions(readFileSync(join('src', file), 'utf8')).map(({ expression }) => JSON.stringify(expression));
		for (const [file, own] of Object.entries(OWN)) {
			const source = readFileSync(join('src', file), 'utf8');
			expect(shown(file).length, file).toBeGreaterThan(0);
			for (const text of own) expect(source, file).toContain(text);
		}
	});

	it('that show a text as it came are found', () => {
		const component = `<p>{t('a', { title })} {title} {busy ? row.title : t('b')} {index + 1} {list.length}</p>
			<b title={title}>{row.data.body}</b><SafeText text={title} /><option>{visible(title)}{title}</option>
			{#each rows as row}{row.name ?? t('c')}{:else}{failed}{/each}{visible(title)}{\`\${when(at)} \${who}\`}
			{#snippet one(text)}{text}{/snippet}{[t('a'), t('b')].filter(Boolean).join(' ')}{names.join(', ')}`;
		expect(rawTexts(component)).toEqual([
			'title',
			"busy ? row.title : t('b')",
			'row.data.body',
			'title',
			"row.name ?? t('c')",
			'visible(title)',
			'`${when(at)} ${who}`',
			'text',
			"names.join(', ')"
		]);
	});
});
