/**
 * The shapes that the core speaks, by the names that the pages use. The core defines them (crates/core);
 * `cargo xtask types` generates them from spec/openapi.json. Comments here say why, not what.
 */
import type { components } from '../api/schema';

type Schemas = components['schemas'];

/** The fields of a record; its table's manifest says which. */
export type Data = RecordState['data'];

export type L10n = Schemas['Label'];
export type Actor = Schemas['Actor'];
export type Stamp = Schemas['Stamp'];
export type RecordState = Schemas['RecordState'];
export type RecordKey = Schemas['RecordKey'];
export type Op = Schemas['WriteOp'];
export type Adjusted = Schemas['AdjustedStamp'];

/** A record as the pages see it: it never leaves the app. */
export interface Row extends RecordKey, RecordState {
	deleted: boolean;
}

/** Older clients may leave out id and module; what is kept here and what a server answers has both. */
export type Change = Schemas['Change'] & Required<Pick<Schemas['Change'], 'eventId' | 'appId'>>;

export type FieldType = Schemas['FieldType'];
export type Field = Schemas['Field'];
export type Sort = Schemas['Sort'];
export type Table = Schemas['Table'];
export type Policy = Schemas['Policy'];
export type Overrides = Schemas['Overrides'];
export type Terms = Schemas['EffectiveAgent'];
export type Tool = Schemas['Tool'];
export type Manifest = Schemas['Manifest'];

/** A tool as `Core.tools` lists it: the WebAssembly's own shape, which no route knows. */
export interface ToolInfo extends Pick<Tool, 'name' | 'label' | 'policy'> {
	module: string;
	effect: Pick<Tool['effect'], 'op' | 'table'>;
	/** JSON Schema. */
}

/** A part of a text that names a time, by its place in the text: the WebAssembly's own shape, as all of a reading. */
export interface TimePart {
	kind: 'date' | 'time' | 'repeat' | 'until' | 'since' | 'duration' | 'count';
	utf16Start: number;
	utf16End: number;
}

/** The time that a text names. */
export interface TimeReading {
	/** The text without the parts. */
	title: string;
	parts: TimePart[];
	when?: {
		/** A day, or a local time such as `2026-12-05T15:00`. */
		start: string;
		/** The end of a span: a local time, or the last day. */
		end?: string;
		relation: 'at' | 'until' | 'since';
		recurrence?: Data;
	};
}

/** A write that can be taken back, with what it replaced: the WebAssembly's own shape, which no route knows. */
export interface ReversibleWrite extends RecordKey {
	/** Whether the write made the record. */
	made?: boolean;
	/** The fields that it wrote: the value before, the stamp of the write, and that of the value before. */
	fields: Record<string, { was: unknown; at: string; over?: string }>;
}

export type FieldError = Schemas['Problem'];
/** A value of a record that no form would take, and what can be kept of it. */
export type UnfitField = Schemas['UnfitField'];

export type Operation = Schemas['Operation'];
export type Proposal = Schemas['Proposal'];
export type ProposalError = Schemas['ProposalError'];
export type Decision = Schemas['Decision'];
/** A proposal as people read it: every field that its operations set. */
export type ProposalCard = Schemas['ProposalCard'];
export type Apart = Schemas['Apart'];
export type CardOperation = Schemas['CardOperation'];
export type CardField = Schemas['CardField'];
export type CardValue = Schemas['CardValue'];
export type ShownValue = Schemas['ShownValue'];
export type CardUnit = Schemas['CardUnit'];
export type TextChange = Schemas['TextChange'];
export type TextRun = Schemas['TextRun'];
export type TextPart = Schemas['TextPart'];
export type Closed = Schemas['ClosedProposal'];

/** Of a stale proposal, by field: what it saw, what is there now with its stamp and author, what it wants. */
export type Difference = Record<
	string,
	{ seen: unknown; now: unknown; proposed: unknown; at: string | null; actor?: Actor | null }
>;

/** How much is taken back: a step, an iteration, a mission. */
export type Extent = Schemas['UndoExtent'];
export type UndoPreview = Schemas['UndoPreview'];
export type Kept = Schemas['KeptChange'];
export type StepDecision = Schemas['StepDecision'];

export type Cadence = Schemas['Cadence'];
export type MissionState = Schemas['MissionState'];
export type MissionInput = Schemas['MissionInput'];
export type MissionData = Schemas['MissionData'];
export type Intent = Schemas['Intent'];
export type StepStatus = Schemas['StepStatus'];
export type Step = Schemas['Step'];
export type Iteration = Schemas['Iteration'];

/** A mission with its runs, oldest first: the fields of one record, and its id. */
export interface Mission extends MissionData {
	id: string;
	iterations: Iteration[];
	/** Written by the app that made it; the core doesn't read it. */
	createdAt?: string;
}

/** The outcome of one occurrence of a mission: the fields of its record, and its id. */
export type AiRun = Schemas['Run'];
/** What a mission has learnt from a decision of its person. */
export type Lesson = Schemas['Lesson'];
