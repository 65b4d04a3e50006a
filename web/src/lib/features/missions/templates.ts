import type { Cadence, MissionInput } from '$lib/core/types';
import { t, type PlainKey } from '$lib/i18n';

/** The ids of the templates that have messages: `template.ID.title` and its siblings. */
type TemplateId = PlainKey extends infer K ? (K extends `template.${infer Id}.title` ? Id : never) : never;

/** A mission to begin with. Its texts are messages; they become the person's own words with the mission. */
export interface MissionTemplate {
	id: TemplateId;
	inputs: MissionInput[];
	cadence: Cadence;
}

/** The texts of a template in the language of the screen. Reactive. */
export function templateText(id: TemplateId): Record<'title' | 'summary' | 'objective' | 'conceptMarkdown', string> {
	return {
		title: t(`template.${id}.title`),
		/** A sentence: what the mission will do for a person. */
		summary: t(`template.${id}.summary`),
		objective: t(`template.${id}.objective`),
		/** The points also stand as tasks, where no model is there to think about them. */
		conceptMarkdown: t(`template.${id}.conceptMarkdown`)
	};
}

export const templates: MissionTemplate[] = [
	{
		id: 'weekly-plan',
		inputs: [
			{ module: 'goals', table: 'goals' },
			{ module: 'todo', table: 'tasks' },
			{ module: 'calendar', table: 'events' }
		],
		cadence: { kind: 'weekly', dayOfWeek: 1, atHour: 7, atMinute: 0 }
	},
	{
		id: 'meeting-follow-ups',
		inputs: [
			{ module: 'notes', table: 'notes' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'daily', atHour: 18, atMinute: 0 }
	},
	{
		id: 'trip-preparation',
		inputs: [
			{ module: 'calendar', table: 'events' },
			{ module: 'places', table: 'places' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'daily', atHour: 8, atMinute: 0 }
	},
	{
		id: 'bills-and-renewals',
		inputs: [
			{ module: 'notes', table: 'notes' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'weekly', dayOfWeek: 1, atHour: 8, atMinute: 0 }
	},
	{
		id: 'goal-check-in',
		inputs: [
			{ module: 'goals', table: 'goals' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'weekly', dayOfWeek: 0, atHour: 17, atMinute: 0 }
	},
	{
		id: 'note-digest',
		inputs: [{ module: 'notes', table: 'notes' }],
		cadence: { kind: 'weekly', dayOfWeek: 5, atHour: 16, atMinute: 0 }
	}
];
