import { describe, expect, it } from 'vitest';
import { toJson } from './json';

describe('toJson', () => {
	it.each([
		['whole emoji', 'a😀b', 'a😀b'],
		['first half of an emoji', 'a\ud83d', 'a\ufffd'],
		['second half of an emoji', '\ude00b', '\ufffdb'],
		['two halves in the wrong order', '\ude00\ud83d', '\ufffd\ufffd'],
		['half an emoji after a backslash', '\\\ud83d', '\\\ufffd'],
		['a text that looks like an escape', '\\ud83d', '\\ud83d'],
		['a text that looks like an escaped escape', '\\\\ud83d', '\\\\ud83d']
	])('keeps the rest of a text: %s', (_name, text, kept) => {
		expect(JSON.parse(toJson({ text }))).toEqual({ text: kept });
	});

	it('mends names as well', () => {
		expect(JSON.parse(toJson({ 'a\ud83d': 1 }))).toEqual({ 'a\ufffd': 1 });
	});
});
