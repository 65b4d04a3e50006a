import '../testing/dom';
import { flushSync, mount, unmount } from 'svelte';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { safeLink, unclearHost } from './links';
import Markdown from './Markdown.svelte';
import { parseMarkdown } from './parse';
import { excerpt, isParsable, isPlain, LENGTH_LIMIT } from './text';

function show(source: string, base?: number): HTMLElement {
	const target = document.createElement('div');
	const shown = mount(Markdown, { target, props: { source, base } });
	onTestFinished(() => unmount(shown));
	flushSync();
	return target;
}

/** The HTML of a text once the parser is there, without Svelte's own marks and white space between elements. */
async function html(source: string, base?: number): Promise<string> {
	const target = show(source, base);
	await import('./parse');
	await vi.waitFor(() => flushSync());
	return target
		.querySelector('.md')!
		.innerHTML.replace(/<!--.*?-->/gs, '')
		.replace(/ class="svelte-\w+"|(?<=")svelte-\w+ | svelte-\w+(?=")/g, '')
		.replace(/\s+/g, ' ')
		.replace(/> </g, '><')
		.trim();
}

describe('a text in Markdown', () => {
	it('stands as it is written until the parser is there', async () => {
		const target = show('**bold**');
		expect(target.textContent).toContain('**bold**');
		await vi.waitFor(() => expect(target.querySelector('strong')?.textContent).toBe('bold'));
	});

	it('has headings below the page’s own, emphasis, code and lines as written', async () => {
		expect(await html('# One\n## Two\n\nBe *short* and **clear**,\nwith `code`.')).toBe(
			'<h3 class="md-h">One</h3><h4 class="md-h">Two</h4>' +
				'<p>Be <em>short</em> and <strong>clear</strong>,<br>with <code>code</code>.</p>'
		);
	});

	it('has lists, tasks, quotes, code blocks and rules', async () => {
		const shown = await html('3. a\n4. b\n\n- [x] done\n- [ ] open\n\n> said\n\n```js\nx < 1\n```\n\n---');
		expect(shown.replace(/(?<=>) | (?=<)/g, '')).toBe(
			'<ol start="3"><li>a</li><li>b</li></ol>' +
				'<ul><li class="checked">done</li><li class="unchecked">open</li></ul>' +
				'<blockquote><p>said</p></blockquote><pre>x &lt; 1</pre><hr>'
		);
	});

	it('has tables, strikethrough and bare addresses', async () => {
		const shown = await html('| a | b |\n|---|--:|\n| ~~1~~ | https://a.example |');
		expect(shown).toContain('<th>a</th>');
		expect(shown).toMatch(/<th style="text-align: right;?">b<\/th>/);
		expect(shown).toContain('<del>1</del>');
		expect(shown).toContain(
			'<a href="https://a.example/" rel="noreferrer noopener" target="_blank"><bdi>https://a.example</bdi></a>'
		);
	});

	it('follows references to definitions', async () => {
		expect(await html('[here][a]\n\n> [a]: https://a.example\n\n[a]: https://b.example')).toContain(
			'<a href="https://a.example/"'
		);
	});

	it('shows raw HTML as text', async () => {
		const target = show('a <img src=x onerror=alert(1)> b\n\n<script>alert(2)</script>\n\n<b>*c*</b>');
		await vi.waitFor(() => expect(target.querySelector('em')).not.toBeNull());
		expect(target.querySelector('img, script, b')).toBeNull();
		expect(target.textContent).toContain('<img src=x onerror=alert(1)>');
		expect(target.textContent).toContain('<script>alert(2)</script>');
	});

	it('loads no image from elsewhere; it is a link', async () => {
		const shown = await html('![cat](https://evil.example/cat.png) ![dog](javascript:alert(1))');
		expect(shown).toContain(
			'<a href="https://evil.example/cat.png" rel="noreferrer noopener" target="_blank"><bdi>cat</bdi></a>' +
				'<span class="address">(<bdi dir="auto">https://evil.example/cat.png</bdi>)</span>'
		);
		expect(shown).not.toMatch(/<img|href="javascript/);
		expect(shown).toContain('![dog](javascript:alert(1))');
	});

	it('shows the source of a link that is not safe', async () => {
		const shown = await html('[x](javascript:alert(1)) [y](/\\\\evil.example) [z](/settings)');
		expect(shown).toContain('[x](javascript:alert(1))');
		expect(shown).toContain('[y](/\\\\evil.example)');
		expect(shown).toContain('<a href="http://mana.test/settings"><bdi>z</bdi></a>');
	});

	it('says where a link leads whose words name another address', async () => {
		const told = async (source: string) => (await html(source)).includes('class="address"');
		expect(await told('[bank.example](https://evil.example)')).toBe(true);
		expect(await told('[https://bank.example/a](https://evil.example/a)')).toBe(true);
		expect(await told('[**bank**.example][x]\n\n[x]: https://evil.example')).toBe(true);
		expect(await told('[bank.example](https://bank.example/)')).toBe(false);
		expect(await told('[our bank](https://evil.example)')).toBe(false);
		for (const dot of ['．', '。', '｡', '․', '\u200b.'])
			expect(await told(`[bank${dot}example](https://evil.example)`), dot).toBe(true);
		expect(await told('<https://bank.example@evil.example/x>')).toBe(true);
		expect(await told('[us](https://раypal.example)')).toBe(true);
		expect(await told('https://bank.example and www.bank.example and a@bank.example')).toBe(false);
	});

	it('X1 writes hidden characters out, wherever they stand', async () => {
		const hidden = '\u202e';
		const shown = await html(
			`a${hidden}\n\n\`b${hidden}\` [c${hidden}](https://a.example) ![d${hidden}](https://a.example)`
		);
		for (const letter of 'abcd') expect(shown).toContain(`${letter}[U+202E]`);
		expect(shown).not.toContain(hidden);
	});

	it('nested deeper than the limit goes on as written', async () => {
		const target = show('> '.repeat(40) + 'deep **text**');
		await vi.waitFor(() => expect(target.querySelector('blockquote')).not.toBeNull());
		expect(target.textContent).toContain('**text**');
	});
});

describe('a link', () => {
	const origin = 'https://mana.example';

	it('is safe by its scheme and the origin that a browser would parse', () => {
		expect(safeLink('https://a.example/x', origin)).toEqual({ href: 'https://a.example/x', external: true });
		expect(safeLink('mailto:a@b.example', origin)).toEqual({ href: 'mailto:a@b.example', external: true });
		expect(safeLink('/todo?a=1#b', origin)).toEqual({ href: 'https://mana.example/todo?a=1#b', external: false });
		expect(safeLink('https://mana.example/todo', origin)).toMatchObject({ external: false });
		expect(safeLink('https://mana.example.evil.example/', origin)).toMatchObject({ external: true });
		expect(safeLink('https://mana.example@evil.example/', origin)).toMatchObject({ external: true });
		// A path with two slashes in front would be another host: the whole address is given.
		expect(safeLink('/.//evil.example', origin)?.href).toBe('https://mana.example//evil.example');
	});

	it.each([
		'javascript:alert(1)',
		'JaVaScRiPt:alert(1)',
		'java\nscript:alert(1)',
		'\u0001javascript:alert(1)',
		'data:text/html,<script>',
		'vbscript:x',
		'file:///etc/passwd',
		'blob:https://mana.example/x',
		'//evil.example',
		'/\\evil.example',
		'\\\\evil.example',
		'/\t/evil.example',
		' //evil.example',
		'relative/path',
		'https://',
		''
	])('is none where the address is %j', (address) => {
		expect(safeLink(address, origin)).toBeNull();
	});
});

describe('C6 the host of an address is said', () => {
	const origin = 'https://mana.example';

	it.each([
		['https://bank.example@evil.example/x', 'evil.example'],
		['https://bank.example:443@evil.example', 'evil.example'],
		['https:\\\\evil.example', 'evil.example'],
		['https:///evil.example', 'evil.example'],
		['https://evil.example\\@bank.example', 'evil.example'],
		['https://%65vil.example/', 'evil.example'],
		['https://раypal.example', 'xn--ypal-43d9g.example'],
		['https://ｅｖｉｌ。example', 'evil.example'],
		['https://ev\til.example', 'evil.example'],
		['https://ev\u00adil.example', 'evil.example'],
		['https://0x7f.1/', '127.0.0.1'],
		['//evil.example/x', 'evil.example'],
		['/\\evil.example', 'evil.example'],
		['https:\\\\mana.example', 'mana.example']
	])('%j leads to %s', (address, host) => {
		expect(unclearHost(address, origin)).toBe(host);
	});

	it.each([
		'https://a.example',
		'http://A.Example:8080/x?y=b@c#z',
		'https://xn--bcher-kva.example/',
		'/todo',
		'todo',
		'mailto:a@b.example',
		'javascript:alert(1)',
		'https://',
		''
	])('%j says it, or leads nowhere', (address) => {
		expect(unclearHost(address, origin)).toBeNull();
	});
});

describe('hostile Markdown', () => {
	const size = 3_000;
	const kinds: Record<string, string> = {
		'open brackets': '['.repeat(size),
		'open links': '[a](b '.repeat(size / 6),
		'open images': '![a]('.repeat(size / 5),
		'open emphasis': '*a **a '.repeat(size / 7),
		'runs of backticks': Array.from({ length: 75 }, (_, i) => '`'.repeat(i + 1)).join('a'),
		'open HTML': '<a '.repeat(size / 3),
		'open comments': '<!-- '.repeat(size / 5),
		'wide tables': '|a'.repeat(size / 6) + '|\n' + '|-'.repeat(size / 6) + '|\n' + '|b'.repeat(size / 6),
		'half addresses': 'a@'.repeat(size / 2),
		definitions: '[a]: b\n'.repeat(size / 7),
		'NUL characters': '\u0000'.repeat(size)
	};

	it.each(Object.entries(kinds))('is parsed while a person waits: %s', (_, source) => {
		expect(isParsable(source)).toBe(true);
		const start = performance.now();
		parseMarkdown(source);
		expect(performance.now() - start).toBeLessThan(3_000);
	});

	it.each([
		['nested quotes', '>'.repeat(1_000)],
		['nested quotes with spaces', 'a\n' + '> '.repeat(1_000)],
		['nested lists in a line', '- '.repeat(1_000)],
		['nested numbers in a line', '1. '.repeat(1_000)],
		['nested lists by indentation', Array.from({ length: 200 }, (_, i) => '  '.repeat(i) + '- a').join('\n')],
		['open links', '[a]('.repeat(49_000 / 2)],
		['open links, a third of the limit', '[a]('.repeat(8_000)],
		['open emphasis of two kinds', '**a_'.repeat(4_000)],
		['open emphasis in many blocks', ('**a_'.repeat(100) + '\n\n').repeat(230)],
		['open emphasis in many items', ('- ' + '**a_'.repeat(100) + '\n').repeat(230)],
		['half addresses', 'a@'.repeat(20_000)],
		['backticks', Array.from({ length: 400 }, (_, i) => '`'.repeat(i + 1)).join(' ')],
		['a text past the limit', 'a*'.repeat(LENGTH_LIMIT)]
	])('is not parsed at all: %s', (_, source) => {
		const start = performance.now();
		expect(isParsable(source)).toBe(false);
		expect(show(source).querySelector('blockquote, ul, ol, em')).toBeNull();
		expect(performance.now() - start).toBeLessThan(3_000);
	});
});

describe('an honest text of some length', () => {
	it.each([
		['a list with boxes', '- [ ] **Call** the `plumber` about [the tap](https://a.example)\n'.repeat(1_200)],
		['a table', '|a|b|\n|-|-|\n' + '|[a](https://a.example)|**c**|\n'.repeat(250)],
		['paragraphs with links', 'See [this](https://a.example) and *that*, `so` to say.\n\n'.repeat(1_500)]
	])('is parsed: %s', (_, source) => {
		expect(isParsable(source)).toBe(true);
	});
});

describe('a text without Markdown', () => {
	it('needs no parser', () => {
		for (const source of ['Be short.\nVery.', 'Grüße, “Ada”: no', 'a\n\nb']) {
			expect(isPlain(source.replace(':', ''))).toBe(true);
		}
		for (const source of ['*a*', '- a', '1. a', '    code', 'www.a.example', 'a@b.example', '# a', 'a\n==', '\\*']) {
			expect(isPlain(source)).toBe(false);
		}
	});

	it('has its paragraphs and lines', async () => {
		expect(await html('One\ntwo\n\n \nthree')).toBe('<p>One<br>two</p><p>three</p>');
	});
});

it('an excerpt is cut at a word', () => {
	expect(excerpt('# A\n\nSome **bold** words here', 12)).toBe('A Some bold…');
});
