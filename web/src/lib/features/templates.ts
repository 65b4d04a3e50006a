import type { Cadence, L10n, MissionInput } from '../core/types';
/** A mission to begin with. */
export interface MissionTemplate {
	id: string;
	title: L10n;
	/** One sentence: what it will do for a person. */
	summary: L10n;
	objective: L10n;
	conceptMarkdown: L10n;
	inputs: MissionInput[];
	cadence: Cadence;
}
export const templates: MissionTemplate[] = [];
