import type { Core } from '../core';
import type { Data, Overrides } from '../core/types';
import type { ManaDb } from './database';

/** The policy of a mission's agent, where it differs from the modules' own. Called in a transaction on `records`. */
export async function overridesOf(db: ManaDb, core: Core, mission: Data): Promise<Overrides> {
	const { agentId } = mission as { agentId?: string | null };
	const rows = await db.records.where('[app+table]').equals(['ai', 'aiAgents']).toArray();
	const agents = Object.fromEntries(rows.map((row) => [row.id, row.data]));
	return core.terms({ mission: { agentId }, agents }).agent.policy;
}
