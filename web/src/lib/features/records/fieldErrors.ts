/** The errors of fields as people read them. */
import { t } from '$lib/i18n';
import type { Field, FieldError } from '$lib/core/types';
import { FIELD_UI, fieldUi, isFieldType } from './fieldUi';

/** A field's error in the language of the screen; the core's own message where there is no translation. */
export function errorOf(error: FieldError, field: Field | undefined): string {
	switch (error.code) {
		case 'required':
			return t('error.required');
		case 'max':
			return fieldUi(field).maxError(field);
		case 'min':
		case 'range':
			return t('error.range');
		case 'type':
			return fieldUi(field).typeError();
		default: {
			// A value that breaks the rule of its kind has the kind's name as its code.
			const own = isFieldType(error.code) ? FIELD_UI[error.code].formatError?.() : undefined;
			return own ?? (error.message || t('error.type'));
		}
	}
}
