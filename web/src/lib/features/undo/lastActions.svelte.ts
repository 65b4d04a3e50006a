/** The person's last actions, live: the bar offers the newest, Ctrl+Z takes back one after the other. */
import { asManaError } from '$lib/core/errors';
import type { Kept } from '$lib/core/types';
import { proposalTitle } from '$lib/features/proposals/proposal';
import { proposals } from '$lib/features/proposals/proposals.svelte';
import { fieldLabel, recordAt } from '$lib/features/records/fields';
import { titleOf } from '$lib/features/records/titles';
import { errorText, loadAllMessages, t } from '$lib/i18n';
import { announce } from '$lib/primitives/live.svelte';
import { currentReplica, onReplica } from '$lib/replica/current';
import { execute } from '$lib/replica/executor';
import type { LastAction } from '$lib/replica/database';
import { dropAction } from '$lib/replica/lastActions';
import type { Replica } from '$lib/replica/replica';
import { keptText } from './undo';

/** For how long the bar stands after the last action, in ms. Ctrl+Z takes back what it offered also later. */
const BAR_MS = 60_000;

/** The most fields that a line names. */
const FIELDS_NAMED = 3;

let actions = $state.raw<readonly LastAction[]>([]);
let open = $state(false);
let said = $state('');
let left = $state.raw<readonly string[]>([]);
let undoing = false;
let fading: ReturnType<typeof setTimeout> | undefined;

export const lastActions = {
	/** The actions that can be taken back, the newest last. */
	get list(): readonly LastAction[] {
		return actions;
	},
	get newest(): LastAction | undefined {
		return actions.at(-1);
	},
	/** The bar's sentence; empty while there is no bar. */
	get bar(): string {
		if (!open) return '';
		const newest = actions.at(-1);
		if (!said) return newest ? actionText(newest) : '';
		return newest ? `${said} ${t('last.next', { action: actionText(newest) })}` : said;
	},
	/** A line for each change that the last undo left, because it was changed since. */
	get left(): readonly string[] {
		return left;
	},
	close(): void {
		open = false;
		said = '';
	},
	closeLeft(): void {
		left = [];
	}
};

/** An action in a line: “Deleted: Milk”. */
export function actionText({ writes, rejected }: LastAction): string {
	if (rejected.length > 0) {
		const first = proposals.get(rejected[0]!);
		return t('last.rejected', { count: rejected.length, title: first ? proposalTitle(first) : '' });
	}
	const [write] = writes;
	if (!write || writes.length > 1) {
		const deleted = writes.every(({ fields }) => fields.deletedAt?.was === null);
		return t(deleted ? 'last.deletedN' : 'last.changedN', { count: writes.length });
	}
	const row = recordAt(write.app, write.table, write.id);
	const title = titleOf(write.app, write.table, row?.data);
	if (write.made) return t('last.added', { title });
	if (write.fields.deletedAt)
		return t(write.fields.deletedAt.was === null ? 'module.deleted' : 'last.restored', { title });
	if (write.fields.done) return t(write.fields.done.was === true ? 'last.unticked' : 'last.ticked', { title });
	const names = Object.keys(write.fields);
	const fields = names.slice(0, FIELDS_NAMED).map((field) => fieldLabel(write.app, write.table, field, true));
	if (names.length > FIELDS_NAMED) fields.push('…');
	return t('last.changed', { title, fields: fields.join(', ') });
}

/** Take back what was done last; the screen reader hears what, and what stays. Answers whether something was. */
export async function undoLast(): Promise<boolean> {
	const newest = actions.at(-1);
	if (undoing || !newest) {
		if (!newest) announce(t('last.nothing'));
		return false;
	}
	undoing = true;
	const text = actionText(newest);
	const replica = currentReplica();
	try {
		const { changed, kept } = await execute(replica, { kind: 'takeBack', actionId: newest.id });
		said = changed ? t('last.undone', { action: text }) : t('last.notUndone', { action: text });
		// A text is made once here, so its message has to be there.
		if (kept.length) await loadAllMessages().catch(() => {});
		left = keptTexts(kept);
		return changed;
	} catch (error) {
		said = '';
		left = [t('error.failed', { message: errorText(error) })];
		// An action that can't be taken back must not stand before those that can.
		if (asManaError(error).code !== 'storage_full') await dropAction(replica.db, newest.id).catch(() => {});
		return false;
	} finally {
		await read(replica).catch(() => {});
		undoing = false;
		show();
		announce([said, ...left].filter(Boolean).join(' '));
	}
}

/** The changes that were not taken back, a line each. */
export function keptTexts(kept: readonly Kept[]): string[] {
	return kept.map((change) => keptText(change, []));
}

function show(): void {
	open = true;
	clearTimeout(fading);
	fading = setTimeout(() => lastActions.close(), BAR_MS);
}

async function read({ db }: Replica): Promise<void> {
	actions = (await db.readMeta('lastActions')) ?? [];
}

onReplica((replica: Replica | null) => {
	if (!replica) return;
	let live = true;
	void read(replica).catch(() => {});
	const stop = replica.bus.on('lastActions', () => {
		const known = new Map(actions.map(({ id, at }) => [id, at]));
		void read(replica)
			.then(() => {
				const newest = actions.at(-1);
				if (!live || undoing || !newest || newest.quiet || document.hidden) return;
				// An action that stands last because a later one was taken back is none that was done now.
				if (known.get(newest.id) === newest.at) return;
				said = '';
				left = [];
				show();
				// A rejection is said where it is decided.
				if (newest.rejected.length === 0) announce(actionText(newest));
			})
			.catch(() => {}); // the database is closing
	});
	return () => {
		live = false;
		stop();
		clearTimeout(fading);
		actions = [];
		left = [];
		lastActions.close();
	};
});
