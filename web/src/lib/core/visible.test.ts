import { expect, it } from 'vitest';
import { visible, wasmModule } from '.';

it('X1 X4 no hidden or other script’s letter passes for a plain one before the core is asked', async () => {
	const { legible: written } = await wasmModule();
	const missed: string[] = [];
	for (let code = 0; code <= 0x10ffff; code++) {
		if (code >= 0xd800 && code <= 0xdfff) continue;
		const text = `a${String.fromCodePoint(code)}b`;
		if (visible(text) === text && written(text) !== text) missed.push(code.toString(16));
	}
	expect(missed).toEqual([]);
	const stack = `a${'\u0301'.repeat(40)}`;
	expect(visible(stack)).toBe(written(stack));
	expect(visible(stack)).not.toBe(stack);
	const blanks = `a\u00a0\u00a0\u00a0b`;
	expect(visible(blanks)).toBe(written(blanks));
	const mixed = 'p\u0430ypal and Привет';
	expect(visible(mixed)).toBe('p\u0430[U+0430]ypal and Привет');
	expect(visible(visible(mixed))).toBe(visible(mixed));
}, 30_000);
