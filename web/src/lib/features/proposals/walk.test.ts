import { afterEach, beforeAll, expect, it } from 'vitest';
import type { Data, Manifest, Tool } from '$lib/core/types';
import { approvedStep } from '$lib/features/modulePages/attribution';
import { showModules } from '$lib/features/records/modules.svelte';
import { setReplica } from '$lib/replica/current';
import { execute } from '$lib/replica/executor';
import { asRow } from '$lib/replica/rows';
import { fieldSample } from '$lib/testing/fieldSamples';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { approve, proposals, undo, undoPreview } from './proposals.svelte';
import { stageMission } from './staging';

beforeAll(() => showModules(manifests));
afterEach(() => setReplica(null));

const tools = manifests.flatMap((module) =>
	(module.tools ?? [])
		.filter(({ effect }) => effect.op !== 'query')
		.map((tool) => [tool.name, module, tool] as [string, Manifest, Tool])
);

it('there are tools in every module that has a page', () => {
	expect(new Set(tools.map(([, module]) => module.id)).size).toBe(manifests.filter((module) => !module.hidden).length);
});

it.each(tools)('%s: proposed, approved, attributed, undone', async (_name, module, tool) => {
	const table = module.tables[tool.effect.table]!;
	const key = { app: module.id, table: tool.effect.table, id: table.singleton ? module.id : 'r1' };
	const userId = someUser();
	const replica = await openTab(userId);
	const existing = tool.effect.op !== 'insert';
	if (existing) {
		const set: Data = Object.fromEntries(
			Object.entries(table.fields)
				.filter(([, field]) => !field.list)
				.map(([name, field]) => [name, fieldSample(field)])
		);
		await execute(replica, { kind: 'write', actor: { kind: 'user' }, writes: [{ ...key, op: 'insert', set }] });
	}
	const records = async () =>
		(await replica.db.records.where('[app+table]').equals([key.app, key.table]).toArray()).filter(
			(row) => row.data.deletedAt == null
		);
	const before = (await records()).map((row) => row.data);
	const params = Object.fromEntries(
		Object.entries(tool.params ?? {}).map(([name, field]) => [name, fieldSample(field, existing)])
	);
	await arrive(replica, [missionInsert(), iterationArrives([toolStep(0, tool.name, params)])]);
	await stageMission(replica, MISSION);
	setReplica(replica);
	const [proposal] = await until(() => (proposals.count === 1 ? proposals.open : null));
	expect(proposal).toMatchObject({ status: 'open', tool: tool.name });

	expect(await approve(proposal!)).toBe(true);
	const [operation] = proposal!.operations;
	const row = await replica.read({ app: operation!.app, table: operation!.table, id: operation!.id });
	const written =
		tool.effect.op === 'delete' ? ['deletedAt'] : [...Object.keys(operation!.set ?? {}), ...(operation!.now ?? [])];
	expect(written.length).toBeGreaterThan(0);
	for (const field of written) {
		expect(row?.meta[field]?.actor).toMatchObject({
			kind: 'ai',
			missionId: MISSION,
			rationale: 'Because of goal 0.',
			stepId: proposal!.stepId
		});
	}
	// The log proves of each tool's write that it had leave (SYNC S13).
	const made = asRow(row!);
	await until(() => approvedStep(made, made.meta[written[0]!]!.actor as never));
	expect((await records()).map((row) => row.data)).not.toEqual(before);

	const extent = { kind: 'step', stepId: proposal!.stepId } as const;
	const preview = await undoPreview(MISSION, extent);
	expect(preview.kept).toEqual([]);
	await undo(MISSION, extent, preview.hash);
	// Fields that were never written are empty; a removed record has its tombstone's field back at nothing.
	const after = (await records()).map(({ data }) =>
		Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
	);
	expect(after).toEqual(before);
	await until(() => proposals.count === 0);
});
