/** The state of an open form: what is written in it, the draft of that, and what happened to its record meanwhile. */
import { onDestroy, untrack } from 'svelte';
import { v7 as uuid } from 'uuid';
import { beforeNavigate } from '$app/navigation';
import type { Data, Row } from '$lib/core/types';
import { t } from '$lib/i18n';
import { NEVER } from '$lib/features/records/records';
import { currentReplica } from '$lib/replica/current';
import { drafts, dropDraft, holdDraft, keepDraft, lookForDraft, type DraftRow } from './drafts.svelte';

/** The pause between what is typed and its draft, in ms. */
export const DRAFT_PAUSE_MS = 300;

/** A field that was written here and changed elsewhere. */
export interface Clash {
	field: string;
	opened: unknown;
	now: unknown;
	mine: unknown;
}

/** The record of a form as it is now. */
export type LiveRecord = Pick<Row, 'data' | 'meta' | 'deleted'>;

export interface EditorOptions {
	/** The kind of form and its record; drafts are found by it. */
	place: string;
	/** The form's fields with the values that it opens on. */
	fields: Data;
	/** The record as it is now; a form of something new has none. */
	live?: () => LiveRecord | undefined;
}

/** Whether two values of a field are the same to a person: nothing, null and an empty text are. */
export function alike(a: unknown, b: unknown): boolean {
	const plain = (value: unknown) => JSON.stringify(value === undefined || value === '' ? null : value);
	return plain(a) === plain(b);
}

/**
 * An open form, which outlives its row: fields that nobody touched here follow their record, a field that was written
 * here and elsewhere waits for the person's choice, and a deleted record leaves the form as it is.
 */
export class Editor {
	/** The values of the form's controls. */
	values = $state<Data>({});
	/** When the draft was written that the form began with. */
	restored = $state<string | null>(null);
	/** Whether the draft could not be kept. */
	unkept = $state(false);
	/** The fields that changed elsewhere and are shown as they are now. */
	followed = $state.raw<readonly string[]>([]);
	#opened = $state.raw<Data>({});
	/** Texts that were written here and elsewhere, and are both to stay. */
	#both = $state.raw<ReadonlySet<string>>(new Set());
	#seen: Record<string, string> = {};
	#id = uuid();
	#stored = false;
	#dirty = false;
	#ended = false;
	#closed = false;
	#saving = false;
	/** The write of a draft that is under way. */
	#writing: Promise<unknown> = Promise.resolve();
	#timer: ReturnType<typeof setTimeout> | undefined;
	#release = () => {};
	readonly #options: EditorOptions;
	readonly #replica = currentReplica();
	readonly #written = $derived(this.#differing());
	readonly #clashes = $derived.by<Clash[]>(() => {
		const now = this.#options.live?.();
		if (!now || now.deleted) return [];
		return this.#written
			.filter((field) => !this.#both.has(field))
			.filter((field) => !alike(now.data[field], this.#opened[field]) && !alike(now.data[field], this.values[field]))
			.map((field) => ({ field, opened: this.#opened[field], now: now.data[field], mine: this.values[field] }));
	});

	/** Call it where effects may be made; `close` ends them. */
	constructor(options: EditorOptions) {
		this.#options = options;
		const now = untrack(() => options.live?.());
		this.values = { ...options.fields };
		this.#opened = { ...options.fields };
		this.#seen = Object.fromEntries(Object.keys(options.fields).map((field) => [field, stampOf(now, field)]));
		this.#hold();
		this.#restore();
		// Another tab may have left one that this tab has not read yet.
		if (this.restored === null) void lookForDraft(options.place, () => this.#restore()).catch(() => {});
		$effect.pre(() => this.#follow(options.live?.()));
		$effect(() => {
			const written = this.#written;
			$state.snapshot(this.values);
			untrack(() => (written.length > 0 || this.#stored) && this.#schedule());
		});
	}

	/** The fields that differ from what the form was opened on. */
	get written(): readonly string[] {
		return this.#written;
	}

	/** The values that the form was opened on, or that its fields followed since. */
	get opened(): Data {
		return this.#opened;
	}

	/** The values that a save differs from: a record that is brought back says all that it lacks. */
	get base(): Data {
		return this.gone ? (this.#options.live?.()?.data ?? {}) : this.#opened;
	}

	/** The stamps of `opened`: the texts that a save replaces. */
	get seen(): Record<string, string> {
		return this.#seen;
	}

	/** The fields that were written both here and elsewhere. */
	get clashes(): readonly Clash[] {
		return this.#clashes;
	}

	/** Whether the record was deleted while the form was open. */
	get gone(): boolean {
		return this.#options.live?.()?.deleted === true;
	}

	/** Settles a clash with what is written here: a save then replaces what is there now. */
	keepMine(field: string): void {
		this.#rebase(field);
	}

	/** Settles a clash with what is there now. */
	takeTheirs(field: string): void {
		this.#rebase(field);
		this.values[field] = this.#opened[field];
	}

	/**
	 * Settles a clash of texts with both: a save says that it has not seen what is there now, so the two are merged by
	 * paragraph where they don't touch, else the record shows both (SYNC X1 to X6).
	 */
	showBoth(field: string): void {
		this.#both = new Set([...this.#both, field]);
	}

	/**
	 * Saves what is written: `write` is given the draft, which it ends in the transaction of its own write, so that
	 * nobody finds a draft of what was saved. Where it throws or answers false, the form and its draft go on; a form that
	 * adds several (`goesOn`) goes on after each.
	 */
	async save<T>(write: (draft: string | undefined) => Promise<T>, goesOn = false): Promise<T> {
		const row = this.#dirty ? this.#row() : null;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#dirty = false;
		this.#saving = true;
		let saved: T | false = false;
		try {
			// The draft is whole before the write: a tab that is killed meanwhile leaves the one or the other.
			await this.#writing;
			if (row) this.#stored = await keepDraft(this.#replica, row);
			saved = await write(this.#stored ? this.#id : undefined);
			return saved;
		} finally {
			this.#saving = false;
			if (saved !== false) {
				const stored = this.#stored;
				this.#stored = false;
				this.#ended = !goesOn;
				// Where there was nothing to write, it is still there.
				if (stored) await dropDraft(this.#id).catch(() => {});
			}
			if (!this.#ended && (this.#dirty || this.#differing().length > 0)) this.#schedule();
		}
	}

	/** What was written is discarded: the draft goes. */
	async end(): Promise<void> {
		clearTimeout(this.#timer);
		this.#dirty = false;
		this.#ended = true;
		if (!this.#stored) return;
		this.#stored = false;
		await dropDraft(this.#id).catch(() => {});
	}

	/**
	 * Discards what is written here: the form stays open, and shows its record as it is now. The form of something new
	 * begins again, on other values where `begun` has some.
	 */
	async reset(begun: Data = {}): Promise<void> {
		const now = this.#options.live?.();
		await this.end();
		if (!now) this.#opened = { ...this.#options.fields, ...begun };
		else if (!now.deleted) for (const field of Object.keys(this.values)) this.#rebase(field);
		for (const field of Object.keys(this.values)) this.values[field] = this.#opened[field];
		this.restored = null;
		this.followed = [];
		this.#both = new Set();
		this.#ended = false;
	}

	/** Whether the form may be cancelled: asks where something is written in it, which is discarded. */
	cancel(): boolean {
		if (this.#written.length > 0 && !confirm(t('editor.discardAsk'))) return false;
		void this.end();
		return true;
	}

	/** The form goes away with its row, its page or its tab; what is written in it stays as a draft. */
	close(): void {
		this.#flushAtOnce();
		this.#closed = true;
		this.#release();
	}

	#hold(): void {
		this.#release();
		this.#release = holdDraft(this.#id, () => this.#flushAtOnce());
	}

	/** Puts in the newest draft of this place, where the person has not written yet. False where there is none. */
	#restore(): boolean {
		if (this.#ended || this.#closed) return false;
		const row = untrack(() => drafts.at(this.#options.place).find(({ place }) => place === this.#options.place));
		if (!row || untrack(() => this.#written.length > 0)) return false;
		this.#id = row.id;
		this.#stored = true;
		this.#hold();
		const names = Object.keys(row.written).filter((name) => name in this.#options.fields);
		this.#opened = { ...this.#opened, ...pick(row.opened, names) };
		this.#seen = { ...this.#seen, ...pick(row.seen, names) };
		for (const name of names) this.values[name] = row.written[name];
		this.restored = row.at;
		untrack(() => this.#follow(this.#options.live?.()));
		// Saved in another tab meanwhile: nothing of it is left to save.
		if (untrack(() => this.#written.length) === 0) void this.reset();
		return true;
	}

	/** A field that nobody touched here becomes what its record says now. */
	#follow(now: LiveRecord | undefined): void {
		if (!now || now.deleted || this.#ended) return;
		untrack(() => {
			const moved = Object.keys(this.values).filter((field) => !alike(now.data[field], this.#opened[field]));
			for (const field of moved) {
				const mine = this.values[field];
				const touched = !alike(mine, this.#opened[field]);
				if (touched && !alike(mine, now.data[field])) continue;
				this.#rebase(field);
				if (touched) continue;
				this.values[field] = now.data[field];
				this.followed = [...new Set([...this.followed, field])];
			}
		});
	}

	#rebase(field: string): void {
		const now = this.#options.live?.();
		if (!now) return;
		this.#opened = { ...this.#opened, [field]: now.data[field] };
		this.#seen = { ...this.#seen, [field]: stampOf(now, field) };
	}

	#schedule(): void {
		this.#dirty = true;
		if (this.#saving) return;
		this.#timer ??= setTimeout(() => void this.#flush(), DRAFT_PAUSE_MS);
	}

	async #flush(): Promise<void> {
		this.#timer = undefined;
		if (!this.#dirty) return;
		this.#dirty = false;
		const row = this.#row();
		if (row) {
			this.#stored = true;
			const kept = keepDraft(this.#replica, row);
			this.#writing = kept;
			this.unkept = !(await kept);
		} else if (this.#stored) {
			this.#stored = false;
			await dropDraft(this.#id).catch(() => {});
		}
		// The form was saved while its draft was on the way.
		if (this.#ended) await dropDraft(this.#id).catch(() => {});
	}

	#flushAtOnce(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		if (!this.#dirty || this.#ended || this.#saving) return;
		const row = this.#row();
		if (!row) return void this.#flush();
		this.#dirty = false;
		this.#stored = true;
		void keepDraft(this.#replica, row);
	}

	#differing(): string[] {
		return Object.keys(this.values).filter((name) => !alike(this.values[name], this.#opened[name]));
	}

	#row(): DraftRow | null {
		// Not the derived one: the form's component may be destroyed by now, and what it derives with it.
		const written = this.#differing();
		if (written.length === 0) return null;
		return {
			id: this.#id,
			place: this.#options.place,
			written: pick($state.snapshot(this.values), written),
			opened: pick($state.snapshot(this.#opened), written),
			seen: pick(this.#seen, written),
			at: new Date().toISOString()
		};
	}
}

/** Opens the editor of a form, while its component is made; it closes with the component. */
export function openEditor(options: EditorOptions): Editor {
	const editor = new Editor(options);
	onDestroy(() => editor.close());
	beforeNavigate(({ cancel, willUnload }) => {
		if (!editor.unkept || editor.written.length === 0) return;
		// At an unload the browser asks in its own words.
		if (willUnload || !confirm(t('form.leave'))) cancel();
	});
	return editor;
}

function stampOf(live: LiveRecord | undefined, field: string): string {
	return live?.meta[field]?.at ?? NEVER;
}

function pick<T>(of: Record<string, T>, names: readonly string[]): Record<string, T> {
	return Object.fromEntries(names.filter((name) => name in of).map((name) => [name, of[name] as T]));
}
