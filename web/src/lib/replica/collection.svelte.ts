import { untrack } from 'svelte';
import type { Row } from '../core/types';
import { onReplica } from './current';
import type { Replica } from './replica';
import { asRow, isDeleted } from './rows';
import { storageUnreadable } from './storage';

/** The records of a table, live: read once, then kept up to date by what changes, in whatever tab. */
export interface Collection {
	/** False until the records are read. */
	readonly ready: boolean;
	/** The live records, oldest id first; the same array until something changes. */
	readonly rows: Row[];
	/** The removed records, as long as the trash keeps them. */
	readonly removed: Row[];
	/** A record by its id, deleted records included (`row.deleted`). */
	get(id: string): Row | undefined;
}

/** Plain rows in a map and one counter as the only signal: 10,000 rows cost no proxies. */
class TableCollection implements Collection {
	#ready = $state(false);
	#version = $state(0);
	#all = new Map<string, Row>();
	#live: Row[] = [];
	#liveVersion = -1;

	constructor(
		readonly app: string,
		readonly table: string
	) {}

	get ready(): boolean {
		return this.#ready;
	}

	get rows(): Row[] {
		if (this.#liveVersion !== this.#version) {
			this.#liveVersion = this.#version;
			this.#live = [...this.#all.values()].filter((row) => !row.deleted);
		}
		return this.#live;
	}

	get removed(): Row[] {
		void this.#version;
		return [...this.#all.values()].filter(isDeleted);
	}

	get(id: string): Row | undefined {
		void this.#version;
		return this.#all.get(id);
	}

	attach(replica: Replica): () => void {
		let live = true;
		const early: Row[] = [];
		const stop = replica.onRows((rows) => {
			const mine = rows.filter((row) => row.app === this.app && row.table === this.table);
			if (mine.length === 0) return;
			if (this.#ready) this.#put(mine);
			else early.push(...mine);
		});
		void replica.db.records
			.where('[app+table]')
			.equals([this.app, this.table])
			.toArray()
			.then((stored) => {
				if (!live) return;
				this.#ready = true;
				// what changed while reading is at least as new as what was read
				this.#put([...stored.map(asRow), ...early]);
			})
			.catch((thrown: unknown) => {
				if (live) storageUnreadable(thrown);
			});
		return () => {
			live = false;
			stop();
			this.#ready = false;
			this.#all = new Map();
			this.#version++;
		};
	}

	#put(rows: Row[]): void {
		for (const row of rows) this.#all.set(row.id, row);
		this.#version++;
	}
}

const collections = new Map<string, TableCollection>();

/** The records of a table. Every caller gets the same object, which stays, empty, after a sign-out. */
export function collection(app: string, table: string): Collection {
	const name = `${app}/${table}`;
	let found = collections.get(name);
	if (!found) {
		// made while a page reads, but it belongs to no page
		found = untrack(() => {
			const made = new TableCollection(app, table);
			onReplica((replica) => (replica ? made.attach(replica) : undefined));
			return made;
		});
		collections.set(name, found);
	}
	return found;
}
