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

/** Whether a text is short and flat enough to be parsed while a person waits. */
export function isParsable(source: string): boolean {
	return source.length <= LENGTH_LIMIT && !DEEP.test(source);
}

/** Whether a text reads the same with and without Markdown, but for its paragraphs and lines. */
export function isPlain(source: string): boolean {
	return !MARKUP.test(source);
}

/** The paragraphs of a plain text. */
export function paragraphs(source: string): string[] {
	return source.split(/\n[ \t]*(?:\n[ \t]*)+/).filter((paragraph) => paragraph.trim());
}

/** The first words of a document, for a line in a list. */
export function excerpt(source: string, length = 140): string {
	const flat = source
		.replace(/^#+\s+/gm, '')
		.replace(/[*_`>#]/g, '')
		.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
		.replace(/\s+/g, ' ')
		.trim();
	return flat.length <= length ? flat : flat.slice(0, length).replace(/\s\S*$/, '') + '…';
}
