/** Conversions between the values of native controls and those of records. */
import { t } from '$lib/i18n';
import type { Field, FieldError } from '$lib/core/types';

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

/** A field's error in the language of the screen; the core's own message where there is no translation. */
export function errorOf(error: FieldError, field: Field | undefined): string {
	const number = field?.type === 'number' || field?.type === 'integer';
	switch (error.code) {
		case 'required':
			return t('error.required');
		case 'max':
			return number ? t('error.range') : t('error.tooLong', { max: field?.max ?? 0 });
		case 'min':
		case 'range':
			return t('error.range');
		case 'date':
		case 'datetime':
		case 'time':
			return t('error.date');
		case 'url':
			return t('error.url');
		case 'type':
			return t(number ? 'error.number' : 'error.type');
		case 'enum':
		case 'ref':
			return t('error.type');
		default:
			return error.message || t('error.type');
	}
}
