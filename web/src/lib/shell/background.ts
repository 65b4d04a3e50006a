import type { TokenHolder } from '$lib/api/token';
import { adoptReplica } from '$lib/replica/adopt';
import { Replica } from '$lib/replica/replica';
import { persistStorage } from '$lib/replica/storage';
import { startMissionTick } from '$lib/features/missions/missionTick';
import { startServerIterationStaging } from '$lib/features/proposals/staging';
import { startSync } from '$lib/replica/loop';
import '$lib/features/history/visits';

/** Opens the replica of a person; the database stays closed until somebody signs in. */
export const openReplica: typeof Replica.open = (...args) => Replica.open(...args);

export { adoptReplica };

/** Everything that runs while someone is signed in: sync, staging of arriving plans, the foreground tick. */
export function startBackground(replica: Replica, tokens: TokenHolder, onSessionEnded: () => void): () => void {
	void persistStorage();
	const stops = [
		startSync({ replica, tokens, onSessionEnded }),
		startServerIterationStaging(replica),
		startMissionTick(replica, tokens)
	];
	return () => stops.forEach((stop) => stop());
}
