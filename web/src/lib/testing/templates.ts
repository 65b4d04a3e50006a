/** The expressions of a component's template that stand as text on the page, by Svelte's own parser. */
import { parse, type AST } from 'svelte/compiler';

/** A part of a syntax tree. */
export interface TreeNode {
	type: string;
	name?: string;
	start: number;
	end: number;
	[key: string]: unknown;
}

const isNode = (value: unknown): value is TreeNode =>
	typeof value === 'object' && value !== null && typeof (value as TreeNode).type === 'string';

/** An expression in the place of a text, with the element around it. */
export interface ShownExpression {
	tag: TreeNode;
	expression: TreeNode;
	/** The name of the element that holds it. */
	within?: string;
}

/** Every `{…}` that a component shows as text. Attributes are no text. */
export function shownExpressions(source: string): ShownExpression[] {
	const found: ShownExpression[] = [];
	const walk = (value: unknown, within?: string): void => {
		if (Array.isArray(value)) return value.forEach((one) => walk(one, within));
		if (!isNode(value)) return;
		if (value.type === 'ExpressionTag')
			return void found.push({ tag: value, expression: value.expression as TreeNode, within });
		const inside = value.type === 'RegularElement' ? value.name : within;
		for (const [key, part] of Object.entries(value)) if (key !== 'attributes') walk(part, inside);
	};
	const root: AST.Root = parse(source, { modern: true });
	walk(root.fragment);
	return found;
}
