import { ManaError } from '../core/errors';
import type { Replica } from './replica';

type Listener = (replica: Replica | null) => (() => void) | void;

let replica: Replica | null = null;
const listeners = new Map<Listener, (() => void) | void>();

/** The replica of whoever is signed in. */
export function currentReplica(): Replica {
	if (!replica) throw new ManaError('signed_out', 'Sign in first.');
	return replica;
}

/** Be told when a replica opens and closes; what the listener answers is called when it closes. */
export function onReplica(listener: Listener): void {
	listeners.set(listener, listener(replica));
}

/** Set at sign-in, cleared at sign-out. */
export function setReplica(next: Replica | null): void {
	const before = replica;
	replica = next;
	for (const [listener, stop] of listeners) {
		stop?.();
		listeners.set(listener, listener(next));
	}
	before?.close();
}
