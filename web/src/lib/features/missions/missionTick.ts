import { dataOf } from '$lib/api/client';
import { ApiError } from '$lib/api/errors';
import type { TokenHolder } from '$lib/api/token';
import type { Replica } from '$lib/replica/replica';
import { isDeleted } from '$lib/replica/rows';
import { flush } from '$lib/replica/actions';
import { aborted, asOnly } from '$lib/replica/locks';
import { resolveInputs } from './missionInputs';

const LOOK_EVERY_MS = 15_000;
/** Ask this long before a mission is due, so that the run has what this device knows. */
const LEAD_MS = 20_000;

/**
 * While a tab is open it asks for due missions a moment before the server would run them by itself, with the inputs as
 * this device holds them. Only one tab asks; a slot that the server already has is answered the same.
 */
export function startMissionTick(replica: Replica, tokens: TokenHolder): () => void {
	const controller = new AbortController();
	void asOnly(`mana-tick-${replica.userId}`, controller.signal, async () => {
		const tick = new MissionTick(replica, (missionId, body) =>
			dataOf(tokens.api.POST('/ai/missions/{id}/run', { params: { path: { id: missionId } }, body }))
		);
		const look = () => void tick.look();
		look();
		const timer = setInterval(look, LOOK_EVERY_MS);
		await aborted(controller.signal);
		clearInterval(timer);
		tick.close();
	});
	return () => controller.abort();
}

type AskForRun = (missionId: string, body: { slot: string; resolvedInputs: unknown }) => Promise<unknown>;

/** Which missions are due, each slot asked for once. */
export class MissionTick {
	readonly #asked = new Set<string>();
	#looking = false;
	/** The time (ms) of the next run, as it was read; missions are read again when it comes or when one changes. */
	#nextRunAt = -Infinity;
	readonly #stopListening: () => void;

	constructor(
		readonly replica: Replica,
		readonly ask: AskForRun
	) {
		this.#stopListening = replica.onRows((rows) => {
			if (rows.some((row) => row.app === 'ai' && row.table === 'aiMissions')) this.#nextRunAt = -Infinity;
		});
	}

	/** Stop following the missions. */
	close(): void {
		this.#stopListening();
	}

	/** Ask for what is due. Answers the slots asked for. */
	async look(): Promise<string[]> {
		if (this.#looking) return [];
		this.#looking = true;
		try {
			const due = await this.#due();
			if (due.length === 0) return [];
			await flush(this.replica);
			const asked: string[] = [];
			for (const { missionId, slot, name } of due) {
				const resolvedInputs = await resolveInputs(this.replica, missionId);
				try {
					await this.ask(missionId, { slot, resolvedInputs });
					asked.push(slot);
				} catch (thrown) {
					// what the server refuses for one mission must not keep the others waiting, nor be asked for ever
					if (!(thrown instanceof ApiError) || thrown.status >= 500 || thrown.status === 429) throw thrown;
				}
				this.#asked.add(name);
			}
			return asked;
		} catch {
			return []; // without a network the server runs it by itself when it is due
		} finally {
			this.#looking = false;
		}
	}

	async #due(): Promise<{ missionId: string; slot: string; name: string }[]> {
		const before = Date.parse(this.replica.now()) + LEAD_MS;
		if (before < this.#nextRunAt) return [];
		let next = Infinity;
		// A change that arrives while the missions are read sets this back, and the next look reads again.
		this.#nextRunAt = Infinity;
		const rows = await this.replica.db.records.where('[app+table]').equals(['ai', 'aiMissions']).toArray();
		const due = rows.flatMap((row) => {
			const { state, nextRunAt, retrySlot } = row.data;
			if (isDeleted(row) || state !== 'active' || typeof nextRunAt !== 'string') return [];
			const at = Date.parse(nextRunAt);
			next = Math.min(next, at);
			if (!(at <= before)) return [];
			const slot = typeof retrySlot === 'string' ? retrySlot : `due:${at}`;
			const name = `${row.id} ${slot} ${nextRunAt}`;
			return this.#asked.has(name) ? [] : [{ missionId: row.id, slot, name }];
		});
		if (this.#nextRunAt === Infinity) this.#nextRunAt = next;
		return due;
	}
}
