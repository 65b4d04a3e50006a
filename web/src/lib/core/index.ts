/**
 * The core (crates/core) in the browser: merge, staging, decisions, cadence and checks as WebAssembly.
 * JSON strings go in and out, so nothing reactive ever passes this line, and everything that comes out is
 * plain data that IndexedDB can store.
 */
import { ManaError } from './errors';
import { toJson } from './json';
import type {
	Actor,
	Cadence,
	Change,
	Closed,
	Data,
	Decision,
	Extent,
	FieldError,
	Kept,
	Lesson,
	Manifest,
	MissionData,
	Op,
	Overrides,
	Proposal,
	ProposalCard,
	RecordKey,
	RecordState,
	ReversibleWrite,
	Terms,
	TextChange,
	TimeReading,
	ToolInfo,
	UndoPreview,
	UnfitField
} from './types';
import type { Conflict, SyncEffect, SyncEvent, TextLineage } from './sync';
import type { Core as WasmCore, SyncStep as WasmSyncStep } from './wasm/mana_core_wasm.js';

export * from './errors';
export * from './sync';
export * from './types';

/** What a text without hidden characters has none of; the core judges the others by their places. */
const MAYBE_HIDDEN = new RegExp(
	'[\\p{Default_Ignorable_Code_Point}\\p{Bidi_Control}\\p{Cc}\\p{Zl}\\p{Zp}' +
		'\\u2800\\u070f\\ufff9-\\ufffc\\u{13430}-\\u{1343f}\\u{1d159}]|[^\\S \\n\\t]|\\p{M}{5}',
	'u'
);

/** Letters that can pass for others. Of a text with any of them the core judges the words. */
const MAYBE_MIXED = new RegExp(
	'[\\u0370-\\u058f\\u07c0-\\u07ff\\u13a0-\\u16ff\\u18b0-\\u18ff\\u1c80-\\u1c8f\\u1d26-\\u1d2a\\u1f00-\\u1fff' +
		'\\u2c00-\\u2c5f\\u2c80-\\u2cff\\u2d30-\\u2d7f\\u2de0-\\u2dff\\ua4d0-\\ua6ff\\uab65-\\uabbf' +
		'\\u{10280}-\\u{11fff}\\u{16800}-\\u{16fdf}]',
	'u'
);

/** A record with its state; null where the replica does not have it. */
export interface KeyedState extends RecordKey {
	state: RecordState | null;
}
/** A record with its merged state. */
export interface Merged extends RecordKey {
	state: RecordState;
}
/** A change that the core could not read. */
export interface Refused {
	index: number;
	eventId?: string;
	reason: string;
}
/** The proposals that a replica has, by id, and what became of them there. */
export type Have = Record<string, Proposal['status']>;
/** A local write. */
export interface PrepareInput extends RecordKey {
	op: Op;
	set?: Data;
	state: RecordState | null;
	now: string;
	last: string | null;
	/** The stamps of the texts that the person saw, where the record may have moved on since. */
	seen?: Record<string, string>;
	actor: Actor;
	eventId: string;
}

type Method =
	| 'apply'
	| 'prepare'
	| 'noteTexts'
	| 'reversible'
	| 'takeBack'
	| 'textChange'
	| 'check'
	| 'unfit'
	| 'tools'
	| 'terms'
	| 'stage'
	| 'touched'
	| 'offerAgain'
	| 'cardRecords'
	| 'card'
	| 'edited'
	| 'decide'
	| 'undoTouched'
	| 'undoPreview'
	| 'undo'
	| 'nextRun'
	| 'checkMission'
	| 'usualOverlap'
	| 'lessons'
	| 'successorKey'
	| 'succeed'
	| 'authorise';

/** The core with the modules of one user. */
export class Core {
	readonly #wasm: WasmCore;
	readonly #newStep: () => WasmSyncStep;

	private constructor(wasm: WasmCore, newStep: () => WasmSyncStep) {
		this.#wasm = wasm;
		this.#newStep = newStep;
	}

	/** Load the WebAssembly once, and give it the manifests. */
	static async load(manifests: Manifest[]): Promise<Core> {
		const module = await wasmModule();
		try {
			return new Core(new module.Core(JSON.stringify(manifests)), () => new module.SyncStep());
		} catch (thrown) {
			throw parseError(thrown);
		}
	}

	/**
	 * Merge changes into states; answers only the records that they touch. A change that can't be read is left out
	 * and named, so that it blocks nothing.
	 */
	apply(records: KeyedState[], changes: Change[]): { records: Merged[]; refused: Refused[] } {
		return this.#call('apply', { records, changes });
	}

	/** A local write as a change, stamped later than what it replaces, and the state after it. */
	prepare(input: PrepareInput): { change: Change; state: RecordState; last: string } {
		return this.#call('prepare', input);
	}

	/** The values that changes of this replica's own replaced, one entry a record; `records` as they were before. */
	reversible(records: KeyedState[], changes: Change[]): ReversibleWrite[] {
		return this.#call<{ writes: ReversibleWrite[] }>('reversible', { records, changes }).writes;
	}

	/** Take writes back, as the person; what stays is named. `earlier` writes learn their new stamps. */
	takeBack(input: {
		writes: ReversibleWrite[];
		earlier: ReversibleWrite[];
		records: KeyedState[];
		now: string;
		last: string | null;
		eventId: string;
	}): { changes: Change[]; records: Merged[]; kept: Kept[]; earlier: ReversibleWrite[]; last: string } {
		return this.#call('takeBack', input);
	}

	/** A text's change, word by word; null where there is none. */
	textChange(before: string, after: string): TextChange | null {
		return this.#call<{ change: TextChange | null }>('textChange', { before, after }).change;
	}

	/**
	 * The values that changes of this replica's own replaced, the texts among it that their writer had not seen, and the
	 * ids of the kept conflicts that the changes settle.
	 */
	noteTexts(input: { records: KeyedState[]; texts: TextLineage[]; kept: Conflict[]; changes: Change[]; now: string }): {
		texts: TextLineage[];
		conflicts: Conflict[];
		ended: string[];
	} {
		return this.#call('noteTexts', input);
	}

	/** The step of one sync, at its beginning. */
	syncStep(): SyncStep {
		return new SyncStep(this.#wasm, this.#newStep());
	}

	/** Checks the fields of a record and returns the problems; `partial` checks only those given. */
	check(app: string, table: string, data: Data, partial = false): FieldError[] {
		return this.#call<{ errors: FieldError[] }>('check', { app, table, data, partial }).errors;
	}

	/** The values of a record that do not fit their fields, and what can be kept of each. */
	unfit(app: string, table: string, data: Data): UnfitField[] {
		return this.#call<{ fields: UnfitField[] }>('unfit', { app, table, data }).fields;
	}

	/** All tools of all modules; `policy` is what counts under these overrides. */
	tools(overrides?: Overrides): ToolInfo[] {
		return this.#call('tools', { overrides });
	}

	/** The terms of a mission: its agent, the model and the bounds. `agents` by id, as their records are. */
	terms(input: { mission: Data; agents: Record<string, Data>; settings?: Data }): Terms {
		return this.#call('terms', input);
	}

	/** The records that staging a mission needs to look at. */
	touched(input: { missionId: string; mission: RecordState; have: Have; overrides?: Overrides }): RecordKey[] {
		return this.#call<{ records: RecordKey[] }>('touched', input).records;
	}

	/** Proposals for a mission's open steps that are not in `have`, and those in `have` that stand otherwise since. */
	stage(input: {
		missionId: string;
		mission: RecordState;
		have: Have;
		records: KeyedState[];
		/** The policy of the mission's agent. */
		overrides?: Overrides;
	}): { proposals: Proposal[]; closed: Closed[] } {
		return this.#call('stage', input);
	}

	/** A proposal that was approved here and whose text, with this stamp, lost: offered anew on the records of now. */
	offerAgain(input: {
		missionId: string;
		mission: RecordState;
		records: KeyedState[];
		approved: Proposal;
		lost: string;
		overrides?: Overrides;
	}): Proposal {
		return this.#call<{ proposal: Proposal }>('offerAgain', input).proposal;
	}

	/** The records that a proposal's card needs to look at: those that it touches and those that it names. */
	cardRecords(proposal: Proposal): RecordKey[] {
		return this.#call<{ records: RecordKey[] }>('cardRecords', { proposal }).records;
	}

	/**
	 * All that a proposal's operations set, from the operations alone. `records` are those of `cardRecords`; `namesakes`
	 * others of the title of one of them, under its key.
	 */
	card(proposal: Proposal, records: KeyedState[], namesakes: KeyedState[] = []): ProposalCard {
		return this.#call('card', { proposal, records, namesakes });
	}

	/**
	 * The proposal as a person changed its parameters: its card says what approving with them carries out. Throws with
	 * code invalid (details: `{errors}`), gone or altered.
	 */
	edited(proposal: Proposal, params: Data, records: KeyedState[]): Proposal {
		return this.#call<{ proposal: Proposal }>('edited', { proposal, params, records }).proposal;
	}

	/**
	 * Carry out a decision. Throws with code decided, expired, waits, gone, altered, stale (details: `Difference`),
	 * invalid (details: `{errors}`), denied or unknownTool, and then nothing happened.
	 */
	decide(input: {
		proposal: Proposal;
		decision: Decision;
		mission: RecordState;
		records: KeyedState[];
		now: string;
		last: string | null;
		eventIds: string[];
		/** The id of the user who decides. */
		by: string;
		/** The client id of the device. */
		device: string;
		/** The policy of the mission's agent. */
		overrides?: Overrides;
	}): { changes: Change[]; records: Merged[]; proposal: Proposal; last: string } {
		return this.#call('decide', input);
	}

	/** The records that an undo needs to look at. */
	undoTouched(input: { missionId: string; mission: RecordState; extent: Extent }): RecordKey[] {
		return this.#call<{ records: RecordKey[] }>('undoTouched', input).records;
	}

	/** Previews an undo: the exact operations, and what it would keep. */
	undoPreview(input: { missionId: string; mission: RecordState; extent: Extent; records: KeyedState[] }): UndoPreview {
		return this.#call('undoPreview', input);
	}

	/**
	 * Carry out what the preview with this hash showed. Throws with code altered where it would be something else by
	 * now, nothing where there is nothing left, and then nothing happened.
	 */
	undo(input: {
		missionId: string;
		mission: RecordState;
		extent: Extent;
		records: KeyedState[];
		hash: string;
		now: string;
		last: string | null;
		eventId: string;
		by: string;
		device: string;
	}): { changes: Change[]; records: Merged[]; last: string } {
		return this.#call('undo', input);
	}

	/** When a cadence comes next, strictly after `after`; null: never by itself. */
	nextRun(cadence: Cadence, timezone: string, after: string): string | null {
		return this.#call<{ at: string | null }>('nextRun', { cadence, timezone, after }).at;
	}

	/** What a mission has learnt from its person's decisions and keeps, the newest first. */
	lessons(mission: Data, now: string): Lesson[] {
		return this.#call<{ lessons: Lesson[] }>('lessons', { mission, now }).lessons;
	}

	/** The rule of a new mission for a run that comes while proposals wait. */
	usualOverlap(cadence: Cadence): NonNullable<MissionData['overlap']> {
		return this.#call<{ overlap: NonNullable<MissionData['overlap']> }>('usualOverlap', { cadence }).overlap;
	}

	/** Checks a mission and returns the problems. */
	checkMission(mission: Data): FieldError[] {
		return this.#call<{ errors: FieldError[] }>('checkMission', mission).errors;
	}

	/** The record that goes on, where a write completed a record or opened it again; null where it did neither. */
	successorKey(input: RecordKey & { before: RecordState | null; after: RecordState }): RecordKey | null {
		return this.#call<{ key: RecordKey | null }>('successorKey', input).key;
	}

	/** The write of the record that `successorKey` names; null where nothing is to be written. */
	succeed(
		input: RecordKey & {
			after: RecordState;
			successor: RecordState | null;
			/** The person's day. */
			today: string;
			now: string;
			last: string | null;
			eventId: string;
		}
	): { written: { change: Change; state: RecordState } | null; last: string } {
		return this.#call('succeed', input);
	}

	/** Throws where the policy does not let the actor write by itself. An approval goes through `decide`. */
	authorise(actor: Actor): void {
		this.#call('authorise', { actor });
	}

	#call<T>(method: Method, input: unknown): T {
		try {
			return JSON.parse(this.#wasm[method](toJson(input))) as T;
		} catch (thrown) {
			throw parseError(thrown);
		}
	}
}

/** The step of one sync: `(state, event) → (state, effects)`. The state stays in the WebAssembly until `free`. */
export class SyncStep {
	readonly #core: WasmCore;
	readonly #step: WasmSyncStep;

	constructor(core: WasmCore, step: WasmSyncStep) {
		this.#core = core;
		this.#step = step;
	}

	/** The effects of an event, to be carried out in their order. */
	next(event: SyncEvent): SyncEffect[] {
		try {
			return JSON.parse(this.#step.next(this.#core, toJson(event))) as SyncEffect[];
		} catch (thrown) {
			throw parseError(thrown);
		}
	}

	free(): void {
		this.#step.free();
	}
}

type WasmModule = typeof import('./wasm/mana_core_wasm.js');
let loading: Promise<WasmModule> | undefined;
let loaded: WasmModule | undefined;

/** Letters that are read from right to left, and could turn the words of a sentence around them. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A text that `isolated` has isolated: its marks turn nothing outside of them. */
const ISOLATE = /(\u2068[^\u2066-\u2069]*\u2069)/;

const isIsolate = (part: string, index: number) => index % 2 === 1 && RIGHT_TO_LEFT.test(part);

/**
 * The text with its hidden characters written out, as `[U+202E]`, and letters that pass for others marked, as
 * `pа[U+0430]ypal` (rules MISSIONS X1 and X4). The module is loaded by then.
 */
export function visible(text: string): string {
	// A record may hold a value of another kind where its type says text.
	if (typeof text !== 'string') return visible((text as unknown) == null ? '' : toJson(text));
	if (!loaded || !(MAYBE_HIDDEN.test(text) || MAYBE_MIXED.test(text))) return text;
	const { legible: written } = loaded;
	const part = (one: string, index: number) =>
		isIsolate(one, index) ? `\u2068${written(one.slice(1, -1))}\u2069` : written(one);
	return text.split(ISOLATE).map(part).join('');
}

/** A text without what makes no difference in meaning: two titles that mean the same become the same. */
export function sameMeaning(text: string): string {
	return loaded ? loaded.sameMeaning(text) : text;
}

/** Whether a name passes for Mana's own (rule SYNC S13). */
export function passesForMana(name: string): boolean {
	return loaded?.passesForMana(name) ?? false;
}

/** The program behind a write: Mana itself, or another one by a name of its own (rule SYNC S13). */
export function programOf(actor: Actor): { own: boolean; name: string | null } {
	if (!loaded) return { own: false, name: null };
	return JSON.parse(loaded.program(toJson(actor ?? null))) as { own: boolean; name: string | null };
}

/**
 * A text within a sentence, whoever wrote it: its hidden characters are written out, and where it is read from right to
 * left it is isolated as by `<bdi>`, which attributes and spoken words can't hold.
 */
export function isolated(text: string): string {
	const turns = text.split(ISOLATE).some((part, index) => !isIsolate(part, index) && RIGHT_TO_LEFT.test(part));
	const shown = visible(text);
	return turns ? `\u2068${shown.replace(/[\u2068\u2069]/g, '')}\u2069` : shown;
}

/** The time that a text names. The module is loaded by then. */
export function readTime(input: {
	text: string;
	/** The language of the text, as a locale. */
	language: string;
	now: string;
	timezone: string;
	/** 0 for Sunday. */
	weekStart: number;
	/** The parts that a person keeps as text, in bytes of UTF-8. */
	kept: [number, number][];
}): TimeReading {
	return free('readTime', input);
}

/** A recurrence as a person says it. Throws what is wrong with it. */
export function recurrenceWords(recurrence: unknown, today: string, language: string): string {
	return free<{ words: string }>('recurrenceWords', { recurrence, today, language }).words;
}

/** The next occurrence where that of a record's day is left out; null where there is none. */
export function skipOccurrence(
	recurrence: unknown,
	day: string | null,
	today: string
): { day: string; recurrence: unknown } | null {
	return free<{ next: { day: string; recurrence: unknown } | null }>('skipOccurrence', { recurrence, day, today }).next;
}

/** Calls a function of the module that needs no manifests. */
function free<T>(name: 'readTime' | 'recurrenceWords' | 'skipOccurrence', input: unknown): T {
	if (!loaded) throw new ManaError('unexpected', 'The core is not loaded yet.');
	try {
		return JSON.parse(loaded[name](toJson(input))) as T;
	} catch (thrown) {
		throw parseError(thrown);
	}
}

/** The module, loaded once; tests hand the bytes in, the browser streams them. */
export function wasmModule(bytes?: BufferSource): Promise<WasmModule> {
	loading ??= (async () => {
		const module = await import('./wasm/mana_core_wasm.js');
		if (bytes) module.initSync({ module: bytes });
		else await module.default({ module_or_path: fetch((await import('./wasm/mana_core_wasm_bg.wasm?url')).default) });
		loaded = module;
		return module;
	})().catch((thrown: unknown) => {
		loading = undefined; // a lost connection must not decide for the whole life of the tab
		throw parseError(thrown);
	});
	return loading;
}

/** The core throws an Error whose message is plain, or JSON `{code, message, details}`. */
export function parseError(thrown: unknown): ManaError {
	if (thrown instanceof ManaError) return thrown;
	const message = thrown instanceof Error ? thrown.message : String(thrown);
	if (message.startsWith('{')) {
		try {
			const parsed = JSON.parse(message) as { code?: string; message?: string; details?: unknown };
			if (parsed.message) return new ManaError(parsed.code ?? 'refused', parsed.message, parsed.details);
		} catch {
			// not JSON after all: the message stands as it is
		}
	}
	return new ManaError('refused', message);
}
