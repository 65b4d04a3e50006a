import { describe, expect, it } from 'vitest';
import { excerpt, parseInline, parseMarkdown } from './markdown';

describe('markdown', () => {
	it('splits headings, lists and paragraphs', () => {
		const blocks = parseMarkdown('# Rules\n\nBe short.\nVery.\n\n- one\n- [x] two\n\n1. first');
		expect(blocks.map((b) => b.kind)).toEqual(['heading', 'paragraph', 'list', 'list']);
		expect(blocks[1]).toMatchObject({ lines: [[{ text: 'Be short.' }], [{ text: 'Very.' }]] });
		expect(blocks[2]).toMatchObject({ ordered: false, items: [{ done: null }, { done: true }] });
	});

	it('keeps unsafe addresses as text', () => {
		expect(parseInline('[x](javascript:alert(1))').some((p) => p.kind === 'link')).toBe(false);
		expect(parseInline('[x](//evil.example)').some((p) => p.kind === 'link')).toBe(false);
		expect(parseInline('[x](https://a.example)')).toEqual([{ kind: 'link', text: 'x', href: 'https://a.example' }]);
	});

	it('never loses a character outside of marks', () => {
		expect(
			parseInline('2 * 3 * 4 < 5')
				.map((p) => p.text)
				.join('')
		).toBe('2 * 3 * 4 < 5');
	});

	it('cuts an excerpt at a word', () => {
		expect(excerpt('# A\n\nSome **bold** words here', 12)).toBe('A Some bold…');
	});
});
