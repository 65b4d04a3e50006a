/**
 * The Markdown that people write in notes, concepts and the context document, as data:
 * headings, lists, quotes, code, emphasis and links. Nothing becomes HTML text, so
 * nothing in a note can reach the page as markup.
 */
export type Inline =
	{ kind: 'text' | 'strong' | 'em' | 'code'; text: string } | { kind: 'link'; text: string; href: string };

export type Block =
	| { kind: 'heading'; level: number; text: Inline[] }
	| { kind: 'paragraph' | 'quote'; lines: Inline[][] }
	| { kind: 'list'; ordered: boolean; items: { text: Inline[]; done: boolean | null }[] }
	| { kind: 'code'; text: string }
	| { kind: 'rule' };

const INLINE =
	/`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|\b_([^_]+)_\b|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)]+)/g;

/** Only addresses that are safe to follow; anything else stays text. */
function safe(href: string): boolean {
	return /^(https?:|mailto:)/i.test(href) || /^\/(?!\/)/.test(href);
}

/** Splits one line into plain and marked parts. */
export function parseInline(line: string): Inline[] {
	const out: Inline[] = [];
	let at = 0;
	for (const m of line.matchAll(INLINE)) {
		if (m.index > at) out.push({ kind: 'text', text: line.slice(at, m.index) });
		const [all, code, strong, strong2, em, em2, label, href, bare] = m;
		if (code) out.push({ kind: 'code', text: code });
		else if (strong ?? strong2) out.push({ kind: 'strong', text: (strong ?? strong2)! });
		else if (em ?? em2) out.push({ kind: 'em', text: (em ?? em2)! });
		else if (label && href && safe(href)) out.push({ kind: 'link', text: label, href });
		else if (bare) out.push({ kind: 'link', text: bare, href: bare });
		else out.push({ kind: 'text', text: all });
		at = m.index + all.length;
	}
	if (at < line.length) out.push({ kind: 'text', text: line.slice(at) });
	return out;
}

/** Splits a document into its blocks. */
export function parseMarkdown(source: string): Block[] {
	const out: Block[] = [];
	const lines = source.replace(/\r\n?/g, '\n').split('\n');
	for (let i = 0; i < lines.length; i++) {
		const line = lines[i]!;
		if (!line.trim()) continue;
		const heading = /^(#{1,6})\s+(.+?)\s*#*$/.exec(line);
		const item = /^\s*(?:([-*+])|\d+[.)])\s+(.*)$/.exec(line);
		if (/^\s*```/.test(line)) {
			const code: string[] = [];
			while (++i < lines.length && !/^\s*```/.test(lines[i]!)) code.push(lines[i]!);
			out.push({ kind: 'code', text: code.join('\n') });
		} else if (heading) {
			out.push({ kind: 'heading', level: heading[1]!.length, text: parseInline(heading[2]!) });
		} else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
			out.push({ kind: 'rule' });
		} else if (item) {
			const ordered = !item[1];
			const box = /^\[([ xX])\]\s+(.*)$/.exec(item[2]!);
			const entry = { text: parseInline(box ? box[2]! : item[2]!), done: box ? box[1] !== ' ' : null };
			const last = out.at(-1);
			if (last?.kind === 'list' && last.ordered === ordered) last.items.push(entry);
			else out.push({ kind: 'list', ordered, items: [entry] });
		} else {
			const quote = /^\s*>\s?/.test(line);
			const kind = quote ? 'quote' : 'paragraph';
			const text = parseInline(line.replace(/^\s*>\s?/, ''));
			const last = out.at(-1);
			if (last?.kind === kind && lines[i - 1]?.trim()) last.lines.push(text);
			else out.push({ kind, lines: [text] });
		}
	}
	return out;
}

/** The first words of a document, for one line in a list. */
export function excerpt(source: string, length = 140): string {
	const flat = source
		.replace(/^#+\s+/gm, '')
		.replace(/[*_`>#]/g, '')
		.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
		.replace(/\s+/g, ' ')
		.trim();
	return flat.length <= length ? flat : flat.slice(0, length).replace(/\s\S*$/, '') + '…';
}
