/** The person's last actions on this device, which can be taken back: kept with the writes, also over a reload. */
import type { RecordKey, ReversibleWrite } from '../core/types';
import type { LastAction, ManaDb } from './database';
import { keyName } from './rows';

/** How many actions are kept at most, and how many characters of what they replaced. */
export const ACTIONS_KEPT = 20;
export const ACTION_CHARACTERS = 1_000_000;

/** Rejections that follow each other within this time, in ms, are one action: several were rejected at once. */
const TOGETHER_MS = 1000;

/** Keep an action, within the transaction of its writes. */
export async function keepAction(db: ManaDb, action: LastAction): Promise<void> {
	const kept = (await db.readMeta('lastActions')) ?? [];
	const last = kept.at(-1);
	const joins =
		last !== undefined &&
		action.rejected.length > 0 &&
		last.rejected.length > 0 &&
		Date.parse(action.at) - Date.parse(last.at) < TOGETHER_MS;
	const actions = joins
		? [...kept.slice(0, -1), { ...last, at: action.at, rejected: [...last.rejected, ...action.rejected] }]
		: [...kept, action];
	await db.writeMeta('lastActions', bounded(actions));
}

/** Forget an action that was taken back, or that nobody can take back any more. */
export async function dropAction(db: ManaDb, id: string): Promise<void> {
	const kept = (await db.readMeta('lastActions')) ?? [];
	await db.writeMeta(
		'lastActions',
		kept.filter((action) => action.id !== id)
	);
}

/** Keep the writes of these actions with the stamps under which their values stand now; `writes` in the same order. */
export async function keepWrites(
	db: ManaDb,
	actions: readonly LastAction[],
	writes: readonly ReversibleWrite[]
): Promise<void> {
	let next = 0;
	const kept = actions.map((action) => ({ ...action, writes: action.writes.map((write) => writes[next++] ?? write) }));
	await db.writeMeta('lastActions', kept);
}

/** Forget what these records held: the server took them away for good. */
export async function forgetRecords(db: ManaDb, keys: readonly RecordKey[]): Promise<void> {
	const kept = await db.readMeta('lastActions');
	if (!kept) return;
	const gone = new Set(keys.map(keyName));
	const actions = kept.map((action) => ({
		...action,
		writes: action.writes.filter((write) => !gone.has(keyName(write)))
	}));
	await db.writeMeta(
		'lastActions',
		actions.filter(({ writes, rejected }) => writes.length + rejected.length > 0)
	);
}

/** The newest actions, as many as may be kept. An action that is too large by itself can't be taken back. */
function bounded(actions: LastAction[]): LastAction[] {
	const newest: LastAction[] = [];
	let characters = 0;
	for (const action of actions.slice(-ACTIONS_KEPT).reverse()) {
		characters += JSON.stringify(action.writes).length;
		if (characters > ACTION_CHARACTERS) break;
		newest.unshift(action);
	}
	return newest;
}
