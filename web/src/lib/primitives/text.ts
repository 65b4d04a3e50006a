/** A record's value as a string: an object as JSON, nothing where there is no value. */
export function plainText(value: unknown): string {
	if (value === null || value === undefined) return '';
	if (typeof value === 'object') return JSON.stringify(value);
	return `${value as string | number | boolean}`;
}
