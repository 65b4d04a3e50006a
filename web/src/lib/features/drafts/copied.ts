import type { Data } from '$lib/core/types';

/** What was written in a form, as one text to take along: a single field alone, several each below its name. */
export function copied(
	{ written, values }: { written: readonly string[]; values: Data },
	label: (field: string) => string,
	said: (field: string, value: unknown) => string
): string {
	const fields = written.length ? written : Object.keys(values);
	const texts = fields.map((field) => [field, said(field, values[field])] as const).filter(([, text]) => text);
	if (texts.length === 1) return texts[0]![1];
	return texts.map(([field, text]) => `${label(field)}: ${text}`).join('\n');
}
