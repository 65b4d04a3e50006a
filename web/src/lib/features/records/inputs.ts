/** Conversions between the values of native controls and those of records. */

/** A time as `datetime-local` wants it. */
export function localOfIso(iso: string): string {
	const date = new Date(iso);
	if (!iso || Number.isNaN(date.getTime())) return '';
	return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** A `datetime-local` value as a time on the wire. */
export function isoOfLocal(local: string): string | null {
	const date = new Date(local);
	return !local || Number.isNaN(date.getTime()) ? null : date.toISOString();
}
