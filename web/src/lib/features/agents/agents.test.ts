import { describe, expect, it } from 'vitest';
import { openTab, someUser, until } from '$lib/testing/replica';
import { setReplica } from '$lib/replica/current';
import {
	agents,
	createAgent,
	missionSettings,
	removeAgent,
	saveAgent,
	saveMissionSettings,
	setPolicy,
	withPolicy
} from './agents.svelte';

async function signedIn() {
	const replica = await openTab(someUser());
	setReplica(replica);
	await until(() => agents.ready && missionSettings.ready);
	return replica;
}

const nothing = { modules: {}, tools: {} };

describe('agents', () => {
	it('G1 the default one needs no record, and its first change makes one', async () => {
		const replica = await signedIn();
		expect(agents.list.map(({ id, name }) => [id, name])).toEqual([['default', 'Mana']]);
		await saveAgent('default', { role: 'Helps' });
		await until(() => agents.get('default')?.role === 'Helps');
		expect((await replica.read({ app: 'ai', table: 'aiAgents', id: 'default' }))?.data).toMatchObject({
			name: 'Mana',
			role: 'Helps'
		});
		await saveAgent('default', { name: 'Ida' });
		await until(() => agents.get('default')?.name === 'Ida');
		expect(agents.get('default')?.role).toBe('Helps');
	});

	it('G2 G3 a mission is the agent’s that it names; where that was deleted the default one stands in', async () => {
		await signedIn();
		const id = await createAgent({ name: 'Flora', policy: { ...nothing, default: 'auto' } });
		await until(() => agents.get(id));
		expect(agents.termsOf({ agentId: id })).toMatchObject({ agent: { name: 'Flora' }, agentGone: false });
		await removeAgent(id);
		await until(() => !agents.get(id));
		expect(agents.termsOf({ agentId: id })).toMatchObject({ agent: { id: 'default' }, agentGone: true });
	});

	it('P2 what an agent may do is told by the core, place by place', async () => {
		await signedIn();
		const policy = (overrides: Parameters<typeof agents.tools>[0], tool: string) =>
			agents.tools(overrides).find(({ name }) => name === tool)?.policy;
		const auto = withPolicy(nothing, 'modules', 'todo', 'auto');
		expect([policy(nothing, 'create_task'), policy(auto, 'create_task'), policy(auto, 'create_note')]).toEqual([
			'propose',
			'auto',
			'propose'
		]);
		const but = withPolicy(auto, 'tools', 'create_task', 'deny');
		expect(policy(but, 'create_task')).toBe('deny');
		expect(withPolicy(withPolicy(but, 'tools', 'create_task', null), 'modules', 'todo', null)).toEqual(nothing);
		expect(withPolicy(withPolicy(nothing, 'default', '', 'deny'), 'default', '', null)).toEqual(nothing);
	});

	it('P2 choices that follow each other faster than they are written all hold, an agent’s first one too', async () => {
		const replica = await signedIn();
		await Promise.all([
			setPolicy('default', 'tools', 'create_task', 'auto'),
			setPolicy('default', 'tools', 'delete_task', 'deny'),
			setPolicy('default', 'modules', 'notes', 'deny'),
			saveAgent('default', { role: 'Helps' })
		]);
		const stored = await replica.read({ app: 'ai', table: 'aiAgents', id: 'default' });
		expect(stored?.data).toMatchObject({
			role: 'Helps',
			policy: { tools: { create_task: 'auto', delete_task: 'deny' }, modules: { notes: 'deny' } }
		});
	});

	it('L1 what holds for all missions has usual values until it is set, and again after it is emptied', async () => {
		await signedIn();
		expect(missionSettings.values).toMatchObject({ debug: false, maxSteps: 5, maxOpenProposals: 25 });
		await saveMissionSettings({ debug: true, maxSteps: 3, budget: { tokensPerDay: 1000 } });
		await until(() => missionSettings.values.debug);
		expect(missionSettings.values).toMatchObject({ maxSteps: 3, budget: { tokensPerDay: 1000 } });
		await saveMissionSettings({ maxSteps: null });
		await until(() => missionSettings.values.maxSteps === 5);
		expect(missionSettings.values.debug).toBe(true);
	});
});
