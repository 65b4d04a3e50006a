import { v7 as uuid } from 'uuid';
import type { components } from '$lib/api/schema';
import type { Data, Mission, Overrides, Policy, Row, Terms, ToolInfo } from '$lib/core/types';
import { collection } from '$lib/replica/collection.svelte';
import { currentReplica } from '$lib/replica/current';
import { createRecord, deleteRecord, updateRecord } from '$lib/features/records/records';

export type Agent = components['schemas']['Agent'];
export type AgentData = components['schemas']['AgentData'];
export type Budget = components['schemas']['Budget'];
export type MissionSettings = components['schemas']['MissionSettings'];
export type MissionSettingsData = components['schemas']['SettingsData'];

/** The part of a policy that a choice is made in: the rest of all tools, a module's, or a tool's own. */
export type PolicyPlace = 'default' | 'modules' | 'tools';

/** The agent of every mission that names none, which needs no record. */
export const DEFAULT_AGENT = 'default';
const SETTINGS_ID = 'settings';

const agentRows = collection('ai', 'aiAgents');
const settingsRows = collection('ai', 'aiSettings');

const data = $derived(Object.fromEntries(agentRows.rows.map((row) => [row.id, row.data])));
const list = $derived.by(() => {
	if (!agentRows.ready) return [];
	const others = Object.keys(data).filter((id) => id !== DEFAULT_AGENT);
	const named = others.map((id) => terms({ agentId: id }).agent);
	return [terms({}).agent, ...named.sort((a, b) => a.name.localeCompare(b.name))];
});

/** The agent that a mission runs under, with its policy, model and bounds. */
function terms(mission: Data): Terms {
	// Every call carries its agents as JSON, so that all of them would cost the square of their number.
	const asked = [DEFAULT_AGENT, ...(typeof mission.agentId === 'string' ? [mission.agentId] : [])];
	const known = asked.filter((id) => Object.hasOwn(data, id));
	return currentReplica().core.terms({
		mission,
		agents: Object.fromEntries(known.map((id) => [id, data[id]!])),
		settings: settingsRows.rows.find((row) => row.id === SETTINGS_ID)?.data
	});
}

/** All agents, live. */
export const agents = {
	get ready(): boolean {
		return agentRows.ready;
	},
	/** The default one first, the others by name. */
	get list(): Agent[] {
		return list;
	},
	get(id: string): Agent | undefined {
		return list.find((agent) => agent.id === id);
	},
	/** Whose a mission is; `agentGone`: the default one stands in for one that was deleted. */
	termsOf(mission: Pick<Mission, 'agentId' | 'model' | 'budget'>): Terms {
		const { agentId, model, budget } = mission;
		return terms({ agentId, model, budget });
	},
	/** Every tool with what an agent may do with it. */
	tools(overrides: Overrides): ToolInfo[] {
		return currentReplica().core.tools(overrides);
	}
};

/** A person's settings for all missions, live; the defaults where nothing is set. */
export const missionSettings = {
	get ready(): boolean {
		return settingsRows.ready;
	},
	get values(): MissionSettings {
		return terms({}).settings;
	}
};

/** Make an agent. Answers its id. `draft`: the form's draft, which ends with the write. Throws ValidationError. */
export async function createAgent(set: AgentData, draft?: string): Promise<string> {
	return createRecord('ai', 'aiAgents', { ...set, createdAt: currentReplica().now() }, uuid(), draft);
}

/**
 * Change an agent; the default one gets its record by its first change, a deleted one comes back. `seen`: what the form
 * was opened on; `draft`: its draft, which ends with the write. Throws ValidationError.
 */
export async function saveAgent(
	id: string,
	set: Partial<AgentData>,
	seen?: Record<string, string>,
	draft?: string
): Promise<void> {
	await inTurn(() => put('aiAgents', id, set, { name: agents.get(id)?.name ?? id }, seen, draft));
}

/** The record of an agent as it is now, with what its form shows; of the default one also where it has none. */
export function liveAgent(id: string): Pick<Row, 'data' | 'meta' | 'deleted'> | undefined {
	const row = agentRows.get(id);
	const agent = agents.get(id);
	if (agent) return { data: agent as unknown as Data, meta: row?.meta ?? {}, deleted: false };
	return row;
}

/** Set one place of an agent's policy, or say nothing there (null). Throws ValidationError. */
export async function setPolicy(id: string, place: PolicyPlace, name: string, value: Policy | null): Promise<void> {
	await inTurn(() => {
		const agent = agents.get(id);
		const policy = withPolicy(agent?.policy ?? {}, place, name, value);
		return put('aiAgents', id, { policy }, { name: agent?.name ?? id });
	});
}

/** Delete an agent. Its missions go on with the default one, which then asks before everything. */
export async function removeAgent(id: string): Promise<void> {
	await deleteRecord('ai', 'aiAgents', id);
}

/** Change what holds for all missions. Throws ValidationError. */
export async function saveMissionSettings(set: MissionSettingsData): Promise<void> {
	await inTurn(() => put('aiSettings', SETTINGS_ID, set, {}));
}

/** A policy with one place of it set, or with nothing said there (null). */
export function withPolicy(policy: Overrides, place: PolicyPlace, name: string, value: Policy | null): Overrides {
	if (place === 'default') {
		const { default: _, ...rest } = policy;
		return value ? { ...rest, default: value } : rest;
	}
	const { [name]: _, ...others } = policy[place] ?? {};
	return { ...policy, [place]: value ? { ...others, [name]: value } : others };
}

let lastWrite: Promise<unknown> = Promise.resolve();

/**
 * Run a write that depends on the rows after the writes before it, so that two quick changes of one record both hold:
 * the rows show a write as soon as it resolves, and not before.
 */
function inTurn(write: () => Promise<void>): Promise<void> {
	const turn = lastWrite.then(write, write);
	lastWrite = turn.catch(() => {});
	return turn;
}

/** Write a record that is known by its id whether it is there or not. */
async function put(
	table: string,
	id: string,
	set: Data,
	first: Data,
	seen?: Record<string, string>,
	draft?: string
): Promise<void> {
	const known = collection('ai', table).get(id);
	if (!known) await createRecord('ai', table, { ...first, ...set, createdAt: currentReplica().now() }, id, draft);
	else await updateRecord('ai', table, id, known.deleted ? { ...set, deletedAt: null } : set, seen, draft);
}
