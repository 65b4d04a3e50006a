/**
 * The form that the build gives to an ICU message. The browser formats it without a parser.
 *
 * A message without arguments is its text. Every other message is a list of parts.
 */
export type Compiled = string | readonly Part[];

export type Part =
	| string
	/** An argument as it was given; a number is written in the language's digits. */
	| readonly [argument: string]
	/** A number argument less an offset: `#` in a plural, `{count, number}` elsewhere. */
	| readonly [argument: string, kind: 'number', offset: number]
	/** The case of a number: an exact `=0` before the plural category of the language. */
	| readonly [argument: string, kind: 'plural' | 'ordinal', cases: Cases, offset: number]
	/** The case that the argument names, else `other`. */
	| readonly [argument: string, kind: 'select', cases: Cases];

export type Cases = Readonly<Record<string, Compiled>>;

/** The header of a message file, its key `@locale`. */
export interface LanguageHeader {
	/** The language's own name of itself, as the settings show it. */
	name: string;
	/** The BCP 47 tag that dates, numbers and plurals follow, such as `en-GB`. */
	intl: string;
	dir: 'ltr' | 'rtl';
	/** The language whose texts stand in for keys that this file lacks. Without it a missing key is an error. */
	fallback?: string;
	/** Whether a record's name is written in lower case in the middle of a sentence. */
	namesInText?: 'lowercase' | 'as-written';
	/** The text between a weekday and its date, where the browser's own is not wanted. */
	afterWeekday?: { short?: string; long?: string };
}

/** A language of the screen. */
export interface Language extends LanguageHeader {
	/** The BCP 47 tag that names the message file: `de` for `messages/de.json`. */
	tag: string;
}
