// Compares the occurrences of rules.jsonl, by the wall clock, with npm's rrule, and counts differences by their kind.
import fs from 'fs';
import rrule from 'rrule';
const { RRule } = rrule;

const HORIZON = Date.UTC(2037, 0, 1);
const MAX = 40;

/** The name of a difference that is understood. */
function kind(rule, found, occurrences) {
	const once = [...new Set(found)];
	if (once.length < found.length && once.every((at, index) => at === occurrences[index]))
		return 'positions that meet: rrule lists and counts the day once for each';
	const days = /BYDAY=([^;]*)/.exec(rule)?.[1].split(',') ?? [];
	const numbered = days.filter((day) => /^[-0-9]/.test(day)).length;
	if (numbered > 0 && numbered < days.length) return 'numbered beside plain weekdays: rrule wants both at once';
	if (/FREQ=WEEKLY/.test(rule) && /BYSETPOS/.test(rule))
		return "positions in the week of the start: rrule counts from the start, not from the week's first day";
	if (/BYSETPOS=[^;]*-/.test(rule)) return 'positions from the end that the set has not: rrule takes the first day';
	if (/BYWEEKNO/.test(rule))
		return "weeks at a year's ends: rrule knows the other year's weeks by fewer of their numbers";
	return 'NOT UNDERSTOOD';
}

/** What a zone's wall clock shows at an instant, as if it were UTC. */
function wall(at, zone) {
	const parts = new Intl.DateTimeFormat('en-US', {
		timeZone: zone,
		hourCycle: 'h23',
		year: 'numeric',
		month: 'numeric',
		day: 'numeric',
		hour: 'numeric',
		minute: 'numeric',
		second: 'numeric'
	}).formatToParts(at);
	const part = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
	return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
}

let same = 0;
const differences = new Map();
for (const line of fs.readFileSync('rules.jsonl', 'utf8').trim().split('\n')) {
	const { rule, start, zone, occurrences, problem } = JSON.parse(line);
	if (problem) continue;
	const allDay = !start.includes('T');
	const options = RRule.parseString(rule);
	options.dtstart = new Date(allDay ? `${start}T00:00:00Z` : `${start}:00Z`);
	if (options.until && !allDay) options.until = new Date(wall(options.until, zone));
	const found = [];
	new RRule(options).all((at) => {
		if (at.getTime() >= HORIZON || found.length >= MAX) return false;
		found.push(at.toISOString().slice(0, allDay ? 10 : 16));
		return true;
	});
	if (JSON.stringify(found) === JSON.stringify(occurrences)) {
		same += 1;
		continue;
	}
	const name = kind(rule, found, occurrences);
	differences.set(name, (differences.get(name) ?? 0) + 1);
	if (name === 'NOT UNDERSTOOD' || differences.get(name) <= Number(process.argv[2])) {
		const odd = found.findIndex((at, index) => at !== occurrences[index]);
		console.log(
			`  ${rule} from ${start}: ours ${occurrences.length}, theirs ${found.length}: ${occurrences[odd]} ${found[odd]}`
		);
	}
}
console.log(`npm rrule: ${same} rules alike`);
for (const [name, count] of differences) console.log(`  ${count} differ: ${name}`);
process.exit(differences.has('NOT UNDERSTOOD') ? 1 : 0);
