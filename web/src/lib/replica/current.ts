import { ManaError } from '../core/errors';
import type { Replica } from './replica';

type Listener = (replica: Replica | null) => (() => void) | void;

let replica: Replica | null = null;
const listeners = new Map<Listener, (() => void) | void>();

/** The replica of the signed-in user. Throws `signed_out` without one. */
export function currentReplica(): Replica {
	if (!replica) throw new ManaError('signed_out', 'Sign in first.');
	return replica;
}

/** Calls the listener when a replica opens and closes. The function that it returns runs when the replica closes. */
export function onReplica(listener: Listener): void {
	listeners.set(listener, listener(replica));
}

/** Sets the replica at a sign-in, clears it at a sign-out. */
export function setReplica(next: Replica | null): void {
	const before = replica;
	replica = next;
	for (const [listener, stop] of listeners) {
		stop?.();
		listeners.set(listener, listener(next));
	}
	before?.close();
}
