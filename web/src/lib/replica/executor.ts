import { v7 as uuid } from 'uuid';
import { ManaError, ValidationError } from '../core/errors';
import type { Core, Decision, KeyedState, Merged } from '../core';
import type {
	Actor,
	Change,
	Data,
	Extent,
	Kept,
	Op,
	Proposal,
	RecordKey,
	RecordState,
	ReversibleWrite,
	Row,
	UndoPreview
} from '../core/types';
import { addConflicts, conflictsOf, endConflicts } from './conflicts';
import { dropAction, keepAction, keepWrites } from './lastActions';
import type { Replica } from './replica';
import { asRow, keyName, primaryKey, stateOf, uniqueKeys, type RecordRow } from './rows';
import { storageError, storageWorks } from './storage';
import { overridesOf } from './overrides';

/** A record's write, as a form or a button wants it. */
export interface Write extends RecordKey {
	op: Op;
	set?: Data;
	/** The stamps of the fields that the person saw: a form may be older than its record. */
	seen?: Record<string, string>;
}

/** A command of the write path. */
export type Command =
	| { kind: 'write'; actor: Actor; writes: Write[] }
	/** `shown`: the proposal as the person read it; another one in its place is refused as `changed`. */
	| { kind: 'decide'; proposalId: string; decision: Decision; shown?: Proposal }
	/** Undoes exactly the preview with this hash. */
	| { kind: 'undo'; missionId: string; extent: Extent; hash: string }
	/** Takes writes back that the log tells of. */
	| { kind: 'putBack'; writes: ReversibleWrite[] }
	/** Takes back what the person did last, by the action's id. */
	| { kind: 'takeBack'; actionId: string };

/**
 * Everything of a proposal that makes its card look as it does, beside the records as they are now: a yes is bound to
 * the operations and to the values that they were proposed upon.
 */
export function faceOf(proposal: Proposal): string {
	return `${proposal.opsHash} ${JSON.stringify(proposal.seen)}`;
}

/** The result of a command, committed as a whole or not at all. */
interface Outcome {
	changes: Change[];
	records: RecordRow[];
	proposals: Proposal[];
	last: string;
	/** The values that the changes replaced, where the person can take them back. */
	replaced: ReversibleWrite[];
	/** The changes that were to be taken back and stay. */
	kept: Kept[];
}

/** The result of a command, as its caller may need it. */
export interface Executed {
	/** Whether anything was written. */
	changed: boolean;
	/** The records as they were written, those of occurrences that go on included. */
	rows: Row[];
	/** The changes that were to be taken back and stay. */
	kept: Kept[];
}

const nothing: Outcome = { changes: [], records: [], proposals: [], last: '', replaced: [], kept: [] };

/** The module of missions: what is written there is taken back by rules of its own. */
const MISSIONS_APP = 'ai';

/**
 * Writes: a person's form, an approval, a rejection or an undo. Every write goes this way. The core authorises and
 * stamps the changes; records, outbox and proposal are committed together, and with them ends the draft of the form
 * that they come from; then the screen and the other tabs hear of it.
 */
export async function execute(replica: Replica, command: Command, draft?: string): Promise<Executed> {
	const { db } = replica;
	let executed: Executed = { changed: false, rows: [], kept: [] };
	let noted = false;
	try {
		const tables = [db.records, db.outbox, db.proposals, db.meta, db.texts, db.conflicts, db.drafts];
		await db.transaction('rw', tables, async () => {
			const last = (await db.readMeta('clock')) ?? null;
			const outcome = await withSuccessors(replica, await carryOut(replica, command, last));
			await noteTexts(replica, outcome.changes);
			await db.records.bulkPut(outcome.records);
			const since = (await db.readMeta('cursor')) ?? '';
			await db.outbox.bulkAdd(outcome.changes.map((change) => ({ eventId: change.eventId, change, since })));
			await db.proposals.bulkPut(outcome.proposals);
			if (outcome.last) await db.writeMeta('clock', outcome.last);
			if (draft) await db.drafts.delete(draft);
			noted = await noteAction(replica, command, outcome, draft !== undefined);
			executed = {
				changed: outcome.changes.length + outcome.proposals.length > 0,
				rows: outcome.records.map(asRow),
				kept: outcome.kept
			};
		});
	} catch (thrown) {
		throw storageError(thrown);
	}
	storageWorks();
	replica.committed(executed.rows);
	replica.bus.publish('outbox', {});
	if (noted) replica.bus.publish('lastActions', {});
	return executed;
}

/** Keeps what the person can take back of a command, and forgets what was taken back. Answers whether it did. */
async function noteAction(replica: Replica, command: Command, outcome: Outcome, fromForm: boolean): Promise<boolean> {
	const { db } = replica;
	if (command.kind === 'takeBack') {
		await dropAction(db, command.actionId);
		return true;
	}
	const rejects = command.kind === 'decide' && command.decision.kind === 'reject';
	const writes = outcome.replaced.filter(({ app }) => app !== MISSIONS_APP);
	if (writes.length === 0 && !rejects) return false;
	const adds = writes.some(({ made }) => made);
	const saves = command.kind === 'write' && command.writes.some(({ seen }) => seen);
	await keepAction(db, {
		id: uuid(),
		at: replica.now(),
		writes,
		rejected: rejects ? outcome.proposals.map(({ id }) => id) : [],
		quiet: fromForm || adds || saves
	});
	return true;
}

/**
 * Keeps what the texts of these changes replaced: the core merges two people's texts by what both came from. Ends the
 * conflicts that the changes settle.
 */
async function noteTexts(replica: Replica, changes: Change[]): Promise<void> {
	const { core, db } = replica;
	const keys = uniqueKeys(changes.map(({ appId, table, id }) => ({ app: appId, table, id })));
	const kept = await conflictsOf(db, keys);
	const hasText = changes.some(({ fields }) => Object.values(fields ?? {}).some(({ base }) => base));
	if (!hasText && kept.length === 0) return;
	const states = await readStates(replica, keys);
	const known = await db.texts.where('[app+table+id]').anyOf(keys.map(primaryKey)).toArray();
	const records = keys.map((key) => ({ ...key, state: stateOf(states.get(keyName(key))) }));
	const noted = core.noteTexts({ records, texts: known, kept, changes, now: replica.now() });
	await db.texts.bulkPut(noted.texts);
	await addConflicts(db, noted.conflicts);
	await endConflicts(db, noted.ended);
}

function carryOut(replica: Replica, command: Command, last: string | null): Promise<Outcome> {
	switch (command.kind) {
		case 'write':
			return write(replica, command.actor, command.writes, last);
		case 'decide':
			return decide(replica, command, last);
		case 'undo':
			return undo(replica, command.missionId, command.extent, command.hash, last);
		case 'putBack':
			return putBack(replica, command.writes, last);
		case 'takeBack':
			return takeBack(replica, command.actionId, last);
	}
}

/** The local day of an instant, `2026-12-05`: Sweden writes days so. */
function localDay(at: string): string {
	return new Date(at).toLocaleDateString('sv-SE');
}

/** Adds the records that go on where the outcome completed a record that repeats, or opens it again. */
async function withSuccessors(replica: Replica, outcome: Outcome): Promise<Outcome> {
	const { core, manifests } = replica;
	const repeats = ({ app, table }: RecordKey) =>
		manifests.find(({ id }) => id === app)?.tables[table]?.schedule?.recurrence !== undefined;
	const written = outcome.records.filter(repeats);
	if (written.length === 0) return outcome;
	const before = await readStates(replica, written);
	const { changes, records } = { changes: [...outcome.changes], records: [...outcome.records] };
	let { last } = outcome;
	for (const row of written) {
		const { app, table, id } = row;
		const after = stateOf(row)!;
		const key = core.successorKey({ app, table, id, before: stateOf(before.get(keyName(row))), after });
		if (!key) continue;
		const successor = stateOf((await readStates(replica, [key])).get(keyName(key)));
		const now = replica.now();
		const succeeded = core.succeed({
			app,
			table,
			id,
			after,
			successor,
			today: localDay(now),
			now,
			last,
			eventId: uuid()
		});
		last = succeeded.last;
		if (!succeeded.written) continue;
		changes.push(succeeded.written.change);
		records.push({ ...key, ...succeeded.written.state });
	}
	return { ...outcome, changes, records, last };
}

async function write(replica: Replica, actor: Actor, writes: Write[], last: string | null): Promise<Outcome> {
	const { core } = replica;
	core.authorise(actor);
	const states = await readStates(replica, writes);
	const before = keyedStates(writes, states);
	const changes: Change[] = [];
	let clock = last;
	for (const { app, table, id, op, set, seen } of writes) {
		refuseInvalid(core, { app, table, id, op, set });
		const prepared = core.prepare({
			app,
			table,
			id,
			op,
			set,
			seen,
			state: stateOf(states.get(keyName({ app, table, id }))),
			now: replica.now(),
			last: clock,
			actor,
			eventId: uuid()
		});
		states.set(keyName({ app, table, id }), { app, table, id, ...prepared.state });
		changes.push(prepared.change);
		clock = prepared.last;
	}
	const replaced = actor.kind === 'user' ? core.reversible(before, changes) : [];
	return { ...nothing, changes, records: [...states.values()], last: clock ?? '', replaced };
}

/** Takes writes back as far as nobody wrote there since, which the core judges. */
async function putBack(replica: Replica, writes: ReversibleWrite[], last: string | null): Promise<Outcome> {
	const { core, db } = replica;
	const records = keyedStates(writes, await readStates(replica, writes));
	const actions = (await db.readMeta('lastActions')) ?? [];
	const earlier = actions.flatMap((action) => action.writes);
	const done = core.takeBack({ writes, earlier, records, now: replica.now(), last, eventId: uuid() });
	await keepWrites(db, actions, done.earlier);
	return {
		...nothing,
		changes: done.changes,
		records: rowsOf(done.records),
		last: done.last,
		replaced: core.reversible(records, done.changes),
		kept: done.kept
	};
}

/** Takes back what the person did last: its writes, and the rejections, whose proposals are offered anew. */
async function takeBack(replica: Replica, actionId: string, last: string | null): Promise<Outcome> {
	const action = ((await replica.db.readMeta('lastActions')) ?? []).find(({ id }) => id === actionId);
	if (!action) throw new ManaError('gone', 'This was taken back already, perhaps in another tab.');
	const outcome = action.writes.length ? await putBack(replica, action.writes, last) : nothing;
	const proposals: Proposal[] = [];
	for (const id of action.rejected) {
		const rejected = await replica.db.proposals.get(id);
		if (rejected?.status === 'rejected') proposals.push(await offeredAgain(replica, rejected, action.at));
	}
	if (action.rejected.length > 0 && proposals.length === 0)
		throw new ManaError('gone', 'What was rejected is no longer on this device. Its mission can propose it anew.');
	return { ...outcome, proposals };
}

/** A proposal anew that was rejected here at this time, or whose text with this stamp lost. */
export async function offeredAgain(replica: Replica, decided: Proposal, lost: string): Promise<Proposal> {
	const { db, core } = replica;
	const mission = await readMission(replica, decided.missionId);
	return core.offerAgain({
		missionId: decided.missionId,
		mission,
		records: keyedStates(decided.operations, await readStates(replica, decided.operations)),
		approved: decided,
		lost,
		overrides: await overridesOf(db, core, mission.data)
	});
}

async function decide(
	replica: Replica,
	{ proposalId, decision, shown }: Extract<Command, { kind: 'decide' }>,
	last: string | null
): Promise<Outcome> {
	const { core, db } = replica;
	const proposal = await db.proposals.get(proposalId);
	if (!proposal) throw new ManaError('gone', 'This proposal is no longer on this device.');
	if (shown && faceOf(shown) !== faceOf(proposal))
		throw new ManaError(
			'changed',
			'Another proposal stands in its place by now. Nothing was changed; look at it again.'
		);
	const mission = await readMission(replica, proposal.missionId);
	const touched = [...proposal.operations, ...Object.keys(proposal.seen).map(parseKey)];
	const states = await readStates(replica, touched);
	const decided = core.decide({
		proposal,
		decision,
		mission,
		records: keyedStates(touched, states),
		now: replica.now(),
		last,
		eventIds: Array.from({ length: proposal.operations.length + 1 }, () => uuid()),
		by: replica.userId,
		device: replica.clientId,
		overrides: await overridesOf(db, core, mission.data)
	});
	return {
		...nothing,
		changes: decided.changes,
		records: rowsOf(decided.records),
		proposals: decided.proposal ? [decided.proposal] : [],
		last: decided.last
	};
}

/** Previews an undo, from the records of this device. */
export function previewUndo(replica: Replica, missionId: string, extent: Extent): Promise<UndoPreview> {
	return replica.db.transaction('r', replica.db.records, async () => {
		const input = await undoing(replica, missionId, extent);
		return replica.core.undoPreview(input);
	});
}

async function undo(
	replica: Replica,
	missionId: string,
	extent: Extent,
	hash: string,
	last: string | null
): Promise<Outcome> {
	const undone = replica.core.undo({
		...(await undoing(replica, missionId, extent)),
		hash,
		now: replica.now(),
		last,
		eventId: uuid(),
		by: replica.userId,
		device: replica.clientId
	});
	return {
		...nothing,
		changes: undone.changes,
		records: rowsOf(undone.records),
		last: undone.last
	};
}

async function undoing(replica: Replica, missionId: string, extent: Extent) {
	const input = { missionId, mission: await readMission(replica, missionId), extent };
	const keys = replica.core.undoTouched(input);
	const states = await readStates(replica, keys);
	return { ...input, records: keyedStates(keys, states) };
}

async function readMission(replica: Replica, id: string): Promise<RecordState> {
	const row = await replica.db.records.get(primaryKey({ app: 'ai', table: 'aiMissions', id }));
	if (!row) throw new ManaError('gone', 'The mission that this belongs to is no longer on this device.');
	return { data: row.data, meta: row.meta };
}

/** Refuses values that don't fit their table, so that they never reach the log. */
function refuseInvalid(core: Core, { app, table, op, set }: Write): void {
	if (op === 'delete' || !set) return;
	const errors = core.check(app, table, set, op === 'update');
	if (errors.length > 0) throw new ValidationError(errors);
}

/** Records with the states that the replica holds of them. */
function keyedStates(keys: RecordKey[], states: Map<string, RecordRow>): KeyedState[] {
	return uniqueKeys(keys).map((key) => ({ ...key, state: stateOf(states.get(keyName(key))) }));
}

function rowsOf(merged: Merged[]): RecordRow[] {
	return merged.map(({ app, table, id, state }) => ({ app, table, id, ...state }));
}

async function readStates(replica: Replica, keys: RecordKey[]): Promise<Map<string, RecordRow>> {
	const read = await replica.db.records.bulkGet(uniqueKeys(keys).map(primaryKey));
	return new Map(read.flatMap((row) => (row ? [[keyName(row), row] as const] : [])));
}

function parseKey(name: string): RecordKey {
	const [app = '', table = '', ...id] = name.split('/');
	return { app, table, id: id.join('/') };
}
