import type { Api } from './person';
import type { Server } from './server';
import { plan, type Upstream } from './upstream';

/** A day `offset` from today, as YYYY-MM-DD in the browser's zone (Berlin). */
export function day(offset: number): string {
	return new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin' }).format(Date.now() + offset * 86_400_000);
}

/** A local time of a day as the wire has it. */
export function at(offset: number, time: string): string {
	const wall = new Date(`${day(offset)}T${time}:00Z`);
	const shown = new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', timeZoneName: 'longOffset' })
		.formatToParts(wall)
		.find((part) => part.type === 'timeZoneName')!.value;
	const [hours = 0, minutes = 0] = shown.replace('GMT', '').split(':').map(Number);
	return new Date(wall.getTime() - (hours * 60 + Math.sign(hours) * minutes) * 60_000).toISOString();
}

const insert = (table: string, id: string, data: Record<string, unknown>) => ({ table, id, op: 'insert', data });

const text = (...lines: string[]) => lines.join('\n');

const daily = { kind: 'daily', atHour: 8, atMinute: 0 };

/** A lived-in workspace, with missions that really ran: proposals wait, one was refused, one run failed. */
export async function furnish(api: Api, server: Server, upstream: Upstream): Promise<{ weekly: string }> {
	const weekly = '0190a000-0000-7000-8000-000000000001';
	const follow = '0190a000-0000-7000-8000-000000000002';
	const reading = '0190a000-0000-7000-8000-000000000003';

	await api.push('goals', [
		insert('goals', 'g1', {
			title: 'Talk at LoFi Berlin',
			why: 'To say in public what we learnt',
			targetDate: day(32),
			status: 'active',
			progress: 2,
			target: 7,
			unit: 'steps'
		}),
		insert('goals', 'g2', {
			title: 'A bigger flat before October',
			targetDate: day(120),
			status: 'active',
			progress: 9,
			target: 20,
			unit: 'places'
		})
	]);
	await api.push('todo', [
		insert('tasks', 't1', { title: 'Renew the parking permit', done: false, dueDate: day(-2), list: 'Home' }),
		insert('tasks', 't2', {
			title: 'Draft the talk outline',
			done: false,
			dueDate: day(0),
			estimateMinutes: 60,
			goalId: 'g1'
		}),
		insert('tasks', 't3', {
			title: 'Answer the tax office about form 34a',
			done: false,
			dueDate: day(0),
			list: 'Studio'
		}),
		insert('tasks', 't4', {
			title: 'Collect receipts for March',
			done: false,
			dueDate: day(2),
			list: 'Studio',
			estimateMinutes: 30
		}),
		insert('tasks', 't5', { title: 'Call the landlord about the boiler', done: false, dueDate: day(4), list: 'Home' }),
		insert('tasks', 't6', { title: 'Look for a birthday present for Ola', done: false }),
		insert('tasks', 't7', {
			title: 'Order coffee for the studio',
			done: true,
			completedAt: new Date().toISOString(),
			dueDate: day(0)
		})
	]);
	await api.push('calendar', [
		insert('events', 'e1', { title: 'Stand-up', startsAt: at(0, '08:30'), endsAt: at(0, '08:45'), location: 'Video' }),
		insert('events', 'e2', {
			title: 'Interview: Amira Haddad, research lead',
			startsAt: at(0, '11:30'),
			endsAt: at(0, '12:15'),
			location: 'Studio, small room'
		}),
		insert('events', 'e3', {
			title: 'Marta, hosting contract',
			startsAt: at(0, '14:00'),
			endsAt: at(0, '14:30'),
			location: 'Phone'
		}),
		insert('events', 'e4', {
			title: 'Jonas, second quarter',
			startsAt: at(0, '16:30'),
			endsAt: at(0, '17:30'),
			location: 'Studio'
		}),
		insert('events', 'e5', {
			title: 'Budget review',
			startsAt: at(2, '10:00'),
			endsAt: at(2, '11:00'),
			location: 'Studio'
		})
	]);
	await api.push('notes', [
		insert('notes', 'n1', {
			title: 'How I like my week',
			body: text(
				'Never more than four hours of focused work a day.',
				'',
				'- Friday after 15:00 stays empty.',
				'- If something slipped twice, ask whether it matters.'
			)
		}),
		insert('notes', 'n2', { title: 'Rooms', body: 'The large room goes fast after Wednesday. Book it by Tuesday.' }),
		insert('notes', 'n3', {
			title: 'Call with Marta',
			body: 'She wants the quote by Thursday. I promised to send last year’s figures along.'
		})
	]);
	await api.push('places', [
		insert('places', 'p1', {
			name: 'Lindenstraße 14',
			address: 'Lindenstraße 14, Berlin',
			category: 'Flat',
			rating: 4,
			notes: 'Bright, third floor, balcony to the yard.'
		}),
		insert('places', 'p2', {
			name: 'Café Anna Blume',
			address: 'Kollwitzstraße 83, Berlin',
			category: 'Café',
			rating: 5
		})
	]);
	await api.push('context', [
		insert('documents', 'context', {
			body: text(
				'# About me',
				'',
				'I run a small studio with three people. Mornings are for thinking, afternoons for people.',
				'',
				'## What matters',
				'',
				'- The talk in May',
				'- A bigger flat, near a park'
			)
		})
	]);
	const mission = (
		id: string,
		title: string,
		objective: string,
		concept: string,
		inputs: unknown[],
		cadence: unknown = daily
	) =>
		insert('aiMissions', id, {
			title,
			objective,
			conceptMarkdown: concept,
			inputs,
			cadence,
			timezone: 'Europe/Berlin',
			state: 'active',
			overlap: 'skip'
		});
	await api.push('ai', [
		mission(
			weekly,
			'Weekly plan',
			'Keep this week honest: what is due, what fits, what should move.',
			text(
				'Every morning, look at the week as if I were a tired friend.',
				'',
				'#### Rules',
				'',
				'- Never plan more than four hours of focused work a day.',
				'- Friday after 15:00 stays empty.',
				'- If something slipped twice, ask whether it matters.',
				'',
				'#### Tone',
				'',
				'Short. One reason per proposal.'
			),
			[
				{ module: 'todo', table: 'tasks' },
				{ module: 'calendar', table: 'events' },
				{ module: 'goals', table: 'goals' },
				{ module: 'notes', table: 'notes', id: 'n1' }
			]
		),
		mission(
			follow,
			'Meeting follow-ups',
			'Read the day’s meeting notes and find the promises in them.',
			'Only real promises, with a name and a date.',
			[{ module: 'notes', table: 'notes' }],
			{ kind: 'daily', atHour: 18, atMinute: 0 }
		),
		mission(reading, 'Thursday reading group', 'Prepare one page on this week’s chapter.', '', [], {
			kind: 'weekly',
			dayOfWeek: 4,
			atHour: 7,
			atMinute: 0
		})
	]);

	// An earlier run of the weekly plan, settled by the person through the same log as any device.
	upstream.answers = [
		plan('A light week until Wednesday. I placed the receipts where nothing competes with them.', [
			{
				summary: 'Collect receipts for March',
				toolName: 'update_task',
				params: { taskId: 't4', dueDate: day(3) },
				rationale: 'The quarter closed and the accountant asks on the tenth.'
			}
		])
	];
	await api.makeDue(weekly);
	await server.tick();
	await api.decideAll(weekly, 'rejected', 'Not now');

	// A proposal for a time that has passed expires: late in the day the gap is tomorrow's.
	const free = Date.parse(at(0, '15:30')) > Date.now() + 3_600_000 ? 0 : 1;
	upstream.answers = [
		plan(
			'Four meetings today leave two free hours, and three tasks want them. I suggest moving the outline to Friday, ' +
				'keeping a half hour for the budget, and booking the room before it goes.',
			[
				{
					summary: 'Book the large room for the budget review',
					toolName: 'create_task',
					params: { title: 'Book the large room for the budget review', dueDate: day(1), estimateMinutes: 15 },
					rationale:
						'Friday’s budget review has no room yet. ' +
						'Your note “Rooms” says the large one goes fast after Wednesday.'
				},
				{
					summary: 'Draft the talk outline on Friday',
					toolName: 'update_task',
					params: { taskId: 't2', dueDate: day(2), estimateMinutes: 120 },
					rationale:
						'You have four meetings today and an outline needs two quiet hours. Friday from 9 to 11 is still free.'
				},
				{
					summary: 'Prepare the budget numbers',
					toolName: 'create_event',
					params: { title: 'Prepare the budget numbers', startsAt: at(free, '15:30'), endsAt: at(free, '16:15') },
					rationale: 'Jonas asks for numbers at 16:30, and this is the only gap left before him.'
				}
			]
		)
	];
	await api.makeDue(weekly);
	await server.tick();
	upstream.answers = [
		plan('Marta was promised a quote by Thursday.', [
			{
				summary: 'Send Marta the quote',
				toolName: 'create_task',
				params: { title: 'Send Marta the quote, with last year’s figures', dueDate: day(1), list: 'Studio' },
				rationale: 'Your note of the call says she wants it by Thursday, and that you promised the figures.'
			}
		])
	];
	await api.makeDue(follow);
	await server.tick();
	upstream.answers = ['I would rather talk about the weather.'];
	await api.makeDue(reading);
	await server.tick();
	return { weekly };
}

/** Providers of the owner's own: one that answers, one that doesn't; a key for a program, and what that used. */
export async function connect(api: Api, server: Server, upstream: Upstream): Promise<void> {
	await api.llm('PUT', 'providers/box', {
		baseUrl: upstream.url,
		key: 'sk-secret',
		models: ['test-model', 'qwen3-32b']
	});
	await api.llm('PUT', 'providers/ollama', { baseUrl: 'http://127.0.0.1:9/v1' });
	await api.llm('PUT', 'aliases', { 'mana/reasoning': ['box/test-model', 'ollama/qwen3:32b'] });
	await api.llm('PUT', 'models', { 'box/test-model': { input: 2, output: 8, tools: true, contextTokens: 131_072 } });
	const { secret } = await api.llm<{ secret: string }>('POST', 'keys', {
		name: 'Editor on the laptop',
		models: ['box/*'],
		tokens: 1000,
		money: 2,
		window: 'month',
		requestsPerMinute: 30
	});
	await api.llm('POST', 'keys', { name: 'Nightly script' });
	for (let call = 0; call < 3; call++) {
		const answer = await fetch(`${server.url}/v1/chat/completions`, {
			method: 'POST',
			headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
			body: JSON.stringify({ model: 'box/test-model', max_tokens: 50, messages: [{ role: 'user', content: 'Hello' }] })
		});
		await answer.text();
		if (!answer.ok) throw new Error(`a call with the key: ${answer.status}`);
	}
}
