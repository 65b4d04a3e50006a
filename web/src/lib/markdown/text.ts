/** Judges a Markdown text without parsing it. */

/** Longer texts, in UTF-16 units, are shown as they are written. */
export const LENGTH_LIMIT = 100_000;

/** Nested deeper than this, a part is shown as it is written. */
export const DEPTH_LIMIT = 30;

/** A character that Markdown could give a meaning, or the start of a numbered list, of code or of an address. */
const MARKUP = /[^\p{L}\p{M}\p{N}\p{Zs}\n.,;?!'"’‘“”„–—…()%€]|^ {0,3}\d+[.)]\s|^ {4}|www\./imu;

/**
 * A line with this many markers of quotes and lists, or this much indentation. Parsing takes time that grows faster
 * than the depth of nesting, so such a text is not parsed at all.
 */
const DEEP = /^(?:[ \t]*(?:>|[-+*]|\d{1,9}[.)])){50}|^[ \t]{200}[ \t]*\S/m;

/** Characters that may begin or end emphasis, code, a link, HTML or an address. */
const MARKER = /[[\]*_~`<@]/g;

/** Where a block surely ends: at a blank line, and before an item of a list that is not indented. */
const BLOCK_END = /\n(?:[ \t]*\n|(?=[-+*] +\S))/;

/**
 * The most that the markers of a text may cost. Within a block, each marker is compared with the markers before it, so
 * a block costs the square of its markers: three thousand in one block, or a hundred in each of nine hundred.
 */
const COST_LIMIT = 3_000 ** 2;

/** Whether a text is short, flat and plain enough to be parsed while a person waits. */
export function isParsable(source: string): boolean {
	return source.length <= LENGTH_LIMIT && !DEEP.test(source) && cost(source) <= COST_LIMIT;
}

function cost(source: string): number {
	let sum = 0;
	for (const block of source.split(BLOCK_END)) sum += (block.match(MARKER)?.length ?? 0) ** 2;
	return sum;
}

/** Whether a text reads the same with and without Markdown, but for its paragraphs and lines. */
export function isPlain(source: string): boolean {
	return !MARKUP.test(source);
}

/** The paragraphs of a plain text. */
export function paragraphs(source: string): string[] {
	return source.split(/\n[ \t]*(?:\n[ \t]*)+/).filter((paragraph) => paragraph.trim());
}

/** Of a document, so many UTF-16 units are looked at for its first words: a list reads every document of a table. */
const EXCERPT_REACH = 4_000;

/** The first words of a document, for a line in a list. */
export function excerpt(source: string, length = 140): string {
	const flat = source
		.slice(0, EXCERPT_REACH)
		.replace(/^#+\s+/gm, '')
		.replace(/[*_`>#]/g, '')
		.replace(/\[([^[\]]+)\]\([^()]*\)/g, '$1')
		.replace(/\s+/g, ' ')
		.trim();
	return flat.length <= length ? flat : flat.slice(0, length).replace(/\s\S*$/, '') + '…';
}
