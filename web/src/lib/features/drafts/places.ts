/** The names of the places that drafts belong to: the kind of form, and the record that it is for. */
import type { RecordKey } from '$lib/core/types';
import { keyName } from '$lib/replica/rows';

/** A record's form. */
export function recordPlace(key: RecordKey): string {
	return `record/${keyName(key)}`;
}

/** The form of a new record, of one kind where there are several: each template begins a form of its own. */
export function newPlace(app: string, table: string, template = ''): string {
	return `new/${app}/${table}/${template}`;
}

/** The template of a place of `newPlace`. */
export function templateOf(place: string): string {
	return place.slice(place.lastIndexOf('/') + 1);
}

/** The line that adds records of a table one after the other. */
export function quickPlace(app: string, table: string): string {
	return `quick/${app}/${table}`;
}

/** The record's id of a place of `recordPlace`. */
export function recordIdOf(app: string, table: string, place: string): string | null {
	const begin = recordPlace({ app, table, id: '' });
	return place.startsWith(begin) ? place.slice(begin.length) : null;
}

/** A person's word on a run. */
export function feedbackPlace(missionId: string, iterationId: string): string {
	return `feedback/${missionId}/${iterationId}`;
}

/** The person's own version of a proposal, by its step: a proposal that is staged anew has another id. */
export function proposalPlace({ stepId }: { stepId: string }): string {
	return `proposal/${stepId}`;
}

/** The person's own reason of a rejection; of several proposals at once without a step. */
export function reasonPlace(stepId = 'several'): string {
	return `reason/${stepId}`;
}
