/** Parses Markdown with GFM into a tree. `Markdown.svelte` loads this chunk with the first text that needs it. */
import type { Definition, Root, RootContent } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';

export interface ParsedMarkdown {
	root: Root;
	/** The link definitions of the text, by their normalized label. The first of a label counts. */
	definitions: ReadonlyMap<string, Definition>;
}

const extensions = [gfm({ singleTilde: false })];
const mdastExtensions = [gfmFromMarkdown()];

export function parseMarkdown(source: string): ParsedMarkdown {
	const root = fromMarkdown(source, { extensions, mdastExtensions });
	const definitions = new Map<string, Definition>();
	// Definitions stand in the root, in quotes and in list items. A stack instead of recursion bears any depth.
	const stack: RootContent[] = [...root.children].reverse();
	for (let node = stack.pop(); node; node = stack.pop()) {
		if (node.type === 'definition' && !definitions.has(node.identifier)) definitions.set(node.identifier, node);
		if (node.type === 'blockquote' || node.type === 'list' || node.type === 'listItem') {
			stack.push(...[...node.children].reverse());
		}
	}
	return { root, definitions };
}
