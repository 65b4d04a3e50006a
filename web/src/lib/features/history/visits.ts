/** When the person was last here, on this device: the moment from which they may want to know what changed. */
import { onReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';

/** After so long without the app on the screen, in ms, its return is another visit. */
const AWAY_MS = 30 * 60_000;
const EVERY_MS = 60_000;

/** The end of the visit before this one, ISO 8601; undefined on the first. */
export async function lastVisit({ db }: Replica): Promise<string | undefined> {
	return (await db.readMeta('visits'))?.last;
}

async function note({ db }: Replica): Promise<void> {
	if (document.hidden) return;
	const now = new Date();
	const visits = await db.readMeta('visits');
	const away = visits !== undefined && now.getTime() - Date.parse(visits.seen) > AWAY_MS;
	await db.writeMeta('visits', { seen: now.toISOString(), last: away ? visits.seen : visits?.last });
}

onReplica((replica) => {
	if (!replica) return;
	const look = () => void note(replica).catch(() => {}); // the database is closing, or has no space
	look();
	const timer = setInterval(look, EVERY_MS);
	document.addEventListener('visibilitychange', look);
	return () => {
		clearInterval(timer);
		document.removeEventListener('visibilitychange', look);
	};
});
