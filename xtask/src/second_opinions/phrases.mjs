// Reads the phrases of spec/vectors with npm's chrono-node, and lists where it means another start than the vectors.
import fs from 'fs';
import * as chrono from 'chrono-node';

// Wednesday, 2 December 2026, 10:00 in Berlin.
const now = { instant: new Date('2026-12-02T09:00:00Z'), timezone: 60 };
const two = (number) => String(number).padStart(2, '0');

for (const [language, parser] of [
	['en', chrono.en.casual],
	['de', chrono.de.casual]
]) {
	const text = fs.readFileSync(`time-words.${language}.txt`, 'utf8');
	const lines = text.split('\n').filter((line) => line && !line.startsWith('# '));
	const counts = {
		alike: 0,
		'a repetition, which chrono has not': 0,
		'not understood': 0,
		'another time': 0,
		'text, left alone': 0,
		'text, understood': 0
	};
	for (const line of lines) {
		const [text, , when] = line.split('|').map((part) => part.trim());
		const found = parser.parse(text, now, { forwardDate: true })[0]?.start;
		const date = found && `${found.get('year')}-${two(found.get('month'))}-${two(found.get('day'))}`;
		const start =
			found && (found.isCertain('hour') ? `${date}T${two(found.get('hour'))}:${two(found.get('minute'))}` : date);
		const ours = when?.replace(/^(by|since) /, '').split(/[ /]/)[0];
		const kind = !when
			? start
				? 'text, understood'
				: 'text, left alone'
			: /FREQ=/.test(when)
				? 'a repetition, which chrono has not'
				: !start
					? 'not understood'
					: start === ours
						? 'alike'
						: 'another time';
		counts[kind] += 1;
		if (process.argv[2] && !['alike', 'text, left alone', 'a repetition, which chrono has not'].includes(kind)) {
			console.log(`  ${kind}: ${text}: ours ${ours ?? 'none'}, theirs ${start ?? 'none'}`);
		}
	}
	console.log(
		`chrono-node, ${language}: ${Object.entries(counts)
			.map(([kind, count]) => `${count} ${kind}`)
			.join('; ')}`
	);
}
