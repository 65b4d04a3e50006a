/** A half of a pair of surrogates as JSON.stringify writes it; a backslash before it would be a character itself. */
const LONE_SURROGATE = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/**
 * JSON that the core can read. A text may hold half an emoji, cut off by a program or by a paste; no UTF-8 holds it, so
 * the replacement character stands in its place and the rest is kept.
 */
export function toJson(value: unknown): string {
	const text = JSON.stringify(value);
	return text.includes('\\ud') ? text.replace(LONE_SURROGATE, '$1\\ufffd') : text;
}
