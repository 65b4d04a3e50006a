import { describe, expect, it } from 'vitest';
import { compareTasks, groupOf } from './todo';

describe('tasks', () => {
	it('are sorted by day, then time, then weight, then name; without a day last', () => {
		const tasks = [
			{ title: 'later' },
			{ title: 'b', dueDate: '2026-04-08' },
			{ title: 'a', dueDate: '2026-04-08' },
			{ title: 'z', dueDate: '2026-04-08', priority: 'high' },
			{ title: 'timed', dueDate: '2026-04-08', dueTime: '15:00', priority: 'low' },
			{ title: 'first', dueDate: '2026-04-01' }
		];
		expect(tasks.sort(compareTasks).map((task) => task.title)).toEqual(['first', 'timed', 'z', 'a', 'b', 'later']);
	});

	it('what is overdue belongs to today, the rest of the week to the week', () => {
		const group = (dueDate?: string) => groupOf({ dueDate }, '2026-04-08', '2026-04-12');
		expect([group('2026-04-01'), group('2026-04-08'), group('2026-04-12'), group('2026-04-13'), group()]).toEqual([
			'today',
			'today',
			'week',
			'later',
			'later'
		]);
	});
});
