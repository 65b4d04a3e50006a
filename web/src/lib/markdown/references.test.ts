import { describe, expect, it } from 'vitest';
import { newReferences, referenceLinks } from './references';

const told = (text: string) => referenceLinks(text).map(({ text: words, address }) => `${words} ${address}`);

describe('C6 reference links', () => {
	it.each([
		['See [the bank][b].\n\n[b]: https://evil.example', ['the bank https://evil.example']],
		['[the bank][]\n\n[The  Bank]: <https://evil.example/a b> "Bank"', ['the bank https://evil.example/a b']],
		['[bank]\n\n  [bank]: https://evil.example', ['bank https://evil.example']],
		['![cat][c]\n\n> - [c]:\n https://evil.example/cat.png', ['cat https://evil.example/cat.png']],
		['[a][x] [b][x]\n\n[x]: /one\n[x]: /two', ['a /one', 'b /one']],
		['[ẞ]\n\n[SS]: /url', ['ẞ /url']],
		['[a](https://a.example) [b] [c][none]\n\n[x]: /url', []],
		['no links', []]
	])('%j', (text, links) => expect(told(text)).toEqual(links));

	it('are new where their words or their address are', () => {
		const before = '[bank][b]\n\n[b]: https://bank.example';
		expect(newReferences(before, before)).toEqual([]);
		expect(newReferences(before, `${before}\n`)).toEqual([]);
		expect(newReferences(before, before.replace('bank.example', 'evil.example'))).toEqual([
			{ text: 'bank', address: 'https://evil.example' }
		]);
		expect(newReferences(before, `[pay here][b] [pay here][b] ${before}`)).toEqual([
			{ text: 'pay here', address: 'https://bank.example' }
		]);
	});

	it.each(['[a][b'.repeat(20_000), ']:['.repeat(20_000), '['.repeat(50_000) + ']: x', '[a]: b\n'.repeat(10_000)])(
		'of a hostile text are found while a person waits',
		(text) => {
			const start = performance.now();
			referenceLinks(text);
			expect(performance.now() - start).toBeLessThan(3_000);
		}
	);
});
