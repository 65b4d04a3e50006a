/**
 * The shapes that the core speaks (crates/core), as TypeScript: the one place where they are kept by hand. Those that
 * go over HTTP come from spec/openapi.json.
 */
import type { components } from '../api/schema';

/** The fields of a record. */
export type Data = Record<string, unknown>;

/** A text by language; English is always there. */
export interface L10n {
	en: string;
	de?: string;
}

/** Who made a change. Further fields (`principalId`, `displayName`) are kept. */
export type Actor =
	| { kind: 'user'; displayName?: string; principalId?: string }
	| { kind: 'ai'; missionId: string; iterationId: string; rationale: string }
	| { kind: 'system'; source: 'projection' | 'rule' | 'migration' | 'mission-runner' };

/** When a field was written, and by whom. */
export interface Stamp {
	at: string;
	actor: Actor;
}

/** The merged state of a record, the same on every replica. */
export interface RecordState {
	data: Data;
	meta: Record<string, Stamp>;
}

/** The name of a record. */
export interface RecordKey {
	app: string;
	table: string;
	id: string;
}

/** A record as the pages see it. */
export interface Row extends RecordKey, RecordState {
	deleted: boolean;
}

/** What a change does. */
export type Op = components['schemas']['Op'];

/** A change as it goes over the wire; what it holds beyond this is the core's business. */
export type Change = components['schemas']['Change'] & { eventId: string; appId: string };

/** What a field may hold. */
export type FieldType =
	| 'text'
	| 'markdown'
	| 'number'
	| 'integer'
	| 'boolean'
	| 'date'
	| 'datetime'
	| 'time'
	| 'enum'
	| 'ref'
	| 'tags'
	| 'url'
	| 'keyedList'
	| 'json';

/** A field of a table, or a parameter of a tool. */
export interface Field {
	type: FieldType;
	label?: L10n;
	help?: L10n;
	description?: string;
	required?: boolean;
	/** A form does not offer it. */
	readOnly?: boolean;
	max?: number;
	min?: number;
	/** An enum's values; a tool's parameter may name them without labels. */
	values?: (string | { value: string; label: L10n })[];
	table?: string;
	module?: string;
}

/** One level of an order; `$updated` is the time of the last change. */
export interface Sort {
	field: string;
	dir?: 'asc' | 'desc';
}

/** A table of a module. */
export interface Table {
	name: L10n;
	plural: L10n;
	fields: Record<string, Field>;
	list: { title: string; meta?: string[]; sort?: Sort[]; done?: string };
	/** It holds a single record, whose id is the module's. */
	singleton?: boolean;
	prompt?: { where?: Data; sort?: Sort[]; limit: number };
}

/** What the AI may do without asking. */
export type Policy = 'auto' | 'propose' | 'deny';

/** A tool of a module, as its manifest writes it. */
export interface Tool {
	name: string;
	label: L10n;
	description: string;
	policy: Policy;
	params?: Record<string, Field>;
	effect: { op: Op | 'query'; table: string; id?: string; set?: Data; where?: Data; limit?: number };
}

/** A module: data, not a program. */
export interface Manifest {
	id: string;
	version: number;
	route?: string;
	icon?: string;
	order?: number;
	hidden?: boolean;
	name: L10n;
	description: L10n;
	empty?: { title: L10n; body: L10n; action: L10n };
	tables: Record<string, Table>;
	tools?: Tool[];
}

/** A tool as the core lists it. */
export interface ToolInfo {
	name: string;
	module: string;
	label: L10n;
	policy: Policy;
	effect: { op: Op | 'query'; table: string };
	paramsSchema: unknown;
}

/** What is wrong with a field. */
export interface FieldError {
	field: string;
	code: string;
	message: string;
}

/** One write that a proposal would do. */
export interface Operation extends RecordKey {
	op: Op;
	set?: Data;
	/** Fields that get the time of the write. */
	now?: string[];
}

/** A step of a server's plan that waits for a person on this device. Local, never synced. */
export interface Proposal {
	id: string;
	missionId: string;
	missionTitle: string;
	iterationId: string;
	stepId: string;
	index: number;
	app: string;
	module: string;
	tool: string;
	params: Data;
	/** Null where the tool is unknown here. */
	op: Op | null;
	operations: Operation[];
	opsHash: string;
	/** What the touched fields held when the proposal was staged, by "app/table/id". */
	seen: Record<string, Record<string, { value: unknown; at: string | null }>>;
	summary: string;
	rationale: string;
	createdAt: string;
	/** `failed`: it can't be carried out here, and a person can only reject it. */
	status: 'open' | 'approved' | 'rejected' | 'closed' | 'failed';
	/** Why it can't be carried out here (`failed`), or why the last decision did not go through (`open`). */
	error?: ProposalError | null;
}

/** Why it did not go through: stale (details: `{field: {seen, now, proposed}}`), altered, invalid, gone, denied, … */
export interface ProposalError {
	code: string;
	message: string;
	details?: unknown;
}

/** When a mission runs by itself. */
export type Cadence =
	| { kind: 'manual' }
	| { kind: 'interval'; everyMinutes: number }
	| { kind: 'daily'; atHour: number; atMinute: number }
	| { kind: 'weekly'; dayOfWeek: number; atHour: number; atMinute?: number }
	| { kind: 'cron'; expression: string };

/** Where a mission stands. */
export type MissionState = 'active' | 'paused' | 'done' | 'archived';

/** What became of a step, lowest rank first. */
export type StepStatus =
	| 'planned'
	| 'staged'
	| 'failed'
	| 'expired'
	| 'skipped'
	| 'rejected'
	| 'approved'
	| 'undone';

/** What a step wants to do. */
export type Intent =
	| { kind: 'toolCall'; toolName: string; params: Data }
	| { kind: 'note'; body: string };

/** A step of a plan. */
export interface Step {
	id: string;
	index: number;
	summary: string;
	rationale: string;
	intent: Intent;
	proposalId?: string;
	status: StepStatus;
	decidedAt?: string;
	decidedBy?: string;
	feedback?: string;
	editedParams?: Data;
	updatedAt?: string;
}

/** One run of a mission. */
export interface Iteration {
	id: string;
	slot: string;
	startedAt: string;
	finishedAt?: string;
	updatedAt?: string;
	source: 'browser' | 'server';
	model?: string;
	summary?: string;
	userFeedback?: string;
	error?: string | { code?: string; message: string };
	overallStatus?: 'awaiting-review' | 'approved' | 'rejected' | 'failed';
	plan: Step[];
}

/** A record, or a whole table (no `id`), that a mission reads. */
export interface MissionInput {
	module: string;
	table: string;
	id?: string;
}

/** What a person writes when making a mission. */
export interface MissionData {
	title: string;
	conceptMarkdown: string;
	objective: string;
	inputs: MissionInput[];
	cadence: Cadence;
	timezone?: string;
	state: MissionState;
	nextRunAt?: string | null;
	agentId?: string;
	model?: string | null;
	overlap?: 'skip' | 'allow';
	catchUpMinutes?: number;
	budget?: unknown;
	/** Written by the server. */
	retrySlot?: string | null;
	failures?: number;
	pausedReason?: string | null;
}

/** A mission with its runs, oldest first. */
export interface Mission extends MissionData {
	id: string;
	iterations: Iteration[];
	createdAt?: string;
}

/** What became of one occurrence of a mission. */
export interface AiRun {
	id: string;
	missionId: string;
	slot: string;
	status: 'ran' | 'skipped' | 'missed' | 'failed';
	reason?: string;
	startedAt: string;
	finishedAt?: string;
	attempts?: number;
	tokens?: number;
	cost?: number;
}
