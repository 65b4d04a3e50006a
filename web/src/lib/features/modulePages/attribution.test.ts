import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Actor, Data, Row, Stamp, Step } from '$lib/core/types';
import { showModules } from '$lib/features/records/modules.svelte';
import { showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { ITERATION, iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { missions } from '$lib/features/missions/missions.svelte';
import { leaveOf, programName, type AiActor } from './attribution';

const AT = '2026-11-01T08:00:00.000000Z';
let replica: Replica;

beforeAll(() => showLocale('en'));
beforeEach(async () => {
	showModules(manifests);
	replica = await openTab(someUser());
	setReplica(replica);
	await until(() => collection('ai', 'aiMissions').ready && collection('ai', 'aiGivenBack').ready);
});
afterEach(() => setReplica(null));

const made = (id: string) => [{ app: 'todo', table: 'tasks', id }];

/** A decided step that makes a task, and the log that has it. */
async function logged(extra: Partial<Step> = {}, source: 'server' | 'browser' = 'server'): Promise<Step> {
	const params = { title: 'Pay rent', dueDate: '2031-02-03' };
	const step = toolStep(0, 'create_task', params, {
		status: 'approved',
		decidedAt: AT,
		decidedBy: 'lena',
		replaced: made('t1'),
		...extra
	});
	await arrive(replica, [missionInsert(), iterationArrives([step], { source })]);
	await until(() => missions.get(MISSION)?.iterations.length);
	return step;
}

/** A task whose fields a write names the AI as the author of. */
function task(step: Step, data: Data = {}, id = 't1'): [Row, AiActor] {
	const actor = {
		kind: 'ai',
		missionId: MISSION,
		iterationId: ITERATION,
		rationale: 'x',
		stepId: step.id
	} as unknown as AiActor;
	const whole: Data = { title: 'Pay rent', dueDate: '2031-02-03', done: false, ...data };
	const meta = Object.fromEntries(Object.keys(whole).map((field): [string, Stamp] => [field, { at: AT, actor }]));
	return [{ app: 'todo', table: 'tasks', id, data: whole, meta, deleted: false }, actor];
}

describe('S13 a write had leave', () => {
	it('where the log has its step, its record and its values', async () => {
		const [row, actor] = task(await logged());
		expect(leaveOf(row, actor)).toBe(t('by.leave'));
		const mine: Actor = { kind: 'user' };
		row.data.title = 'Pay the rent';
		row.meta.title = { at: AT, actor: mine };
		expect(leaveOf(row, actor)).toBe(t('by.leave'));
	});

	it('by the rules, where no person decided', async () => {
		const [row, actor] = task(await logged({ decidedBy: 'policy' }));
		expect(leaveOf(row, actor)).toBe(t('by.rules'));
	});

	it('with the values that the person changed', async () => {
		const step = await logged({ editedParams: { title: 'Pay half the rent' } });
		expect(leaveOf(...task(step, { title: 'Pay half the rent' }))).toBe(t('by.leave'));
		expect(leaveOf(...task(step))).toBe(t('by.unproven'));
	});

	it.each<[string, Data, string]>([
		['another record', {}, 't2'],
		['another value', { title: 'Pay Bob' }, 't1'],
		['a field that the step does not set', { notes: 'Pay Bob too' }, 't1'],
		['a field that the step was given nothing for', { list: 'Bob' }, 't1']
	])('is not said of %s', async (_, data, id) => {
		expect(leaveOf(...task(await logged(), data, id))).toBe(t('by.unproven'));
	});

	it.each<[string, Partial<Step>, 'server' | 'browser']>([
		['a step that was refused', { status: 'rejected' }, 'server'],
		['a step that nobody decided', { status: 'planned', replaced: [] }, 'server'],
		['a step that names no record', { replaced: [] }, 'server'],
		['a run that a device planned', {}, 'browser'],
		['a step of another tool', { intent: { kind: 'toolCall', toolName: 'create_note', params: {} } }, 'server'],
		['a note', { intent: { kind: 'note', body: '' } }, 'server']
	])('is not said of %s', async (_, extra, source) => {
		expect(leaveOf(...task(await logged(extra, source)))).toBe(t('by.unproven'));
	});

	it('is not said of a run or a step that the log does not have', async () => {
		const step = await logged();
		const [row, actor] = task(step);
		expect(leaveOf(row, { ...actor, iterationId: 'other' })).toBe(t('by.unproven'));
		expect(leaveOf(row, { ...actor, missionId: 'other' })).toBe(t('by.unproven'));
		expect(leaveOf(...task({ ...step, id: 'other' }))).toBe(t('by.unproven'));
	});
});

describe('S13 a program is named as', () => {
	it.each<[object | null, string]>([
		[{ kind: 'system', source: 'mission-runner', displayName: 'X' }, 'Mana'],
		[{ kind: 'system', source: 'projection' }, 'Mana'],
		[{ kind: 'system', source: 'rule', displayName: 'Streak tracker' }, 'the program “Streak tracker”'],
		[{ kind: 'system', source: 'rule', displayName: 'Mana' }, 'the program “rule”'],
		[{ kind: 'bot', displayName: 'Мана', principalId: 'ᴍᴀɴᴀ' }, 'the program “bot”'],
		[{ kind: 'bot', displayName: 'Ma\u200bna' }, 'the program “bot”'],
		[{ kind: 'bot', displayName: 'Ｍäna server' }, 'the program “bot”'],
		[{ kind: 'Mana' }, 'another program'],
		[{ kind: 'bot', displayName: 'you' }, 'the program “you”'],
		[{ kind: 'bot', displayName: 'Weekly plan”, with your leave' }, 'the program “Weekly plan, with your leave”'],
		[{ kind: 'bot', displayName: 'x\u202ey' }, 'the program “x[U+202E]y”'],
		[{ kind: 'bot', displayName: 7, principalId: ' ' }, 'the program “bot”'],
		[{}, 'another program'],
		[null, 'another program']
	])('%j: %s', (actor, name) => {
		expect(programName(actor as unknown as Actor)).toBe(name);
	});
});
