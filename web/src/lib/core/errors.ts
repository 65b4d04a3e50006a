import type { FieldError } from './types';

/** An error that a person may read: `message` is plain English, `code` finds its translation. */
export class ManaError extends Error {
	override name = 'ManaError';
	constructor(
		readonly code: string,
		message: string,
		readonly details?: unknown
	) {
		super(message);
	}
}

/** A form that does not fit its table. */
export class ValidationError extends ManaError {
	override name = 'ValidationError';
	constructor(readonly errors: FieldError[]) {
		super('invalid', errors.map((e) => e.message).join(' '), errors);
	}
}

/** Turns any thrown value into an error with a code. */
export function asManaError(thrown: unknown): ManaError {
	if (thrown instanceof ManaError) return thrown;
	if (thrown instanceof Error) return new ManaError('unexpected', thrown.message);
	return new ManaError('unexpected', String(thrown));
}
