/** Writes the types of the messages' keys and arguments, from the catalogue of the base language. */
import type { ArgumentKind } from './compile.ts';
import { BASE, type Catalogue } from './catalogue.ts';

const TYPE_OF: Record<ArgumentKind, string> = { value: 'Value', number: 'number', string: 'string' };

/** The text of `src/lib/i18n/messages.d.ts`. */
export function messageTypes(catalogues: ReadonlyMap<string, Catalogue>): string {
	const lines = [...(catalogues.get(BASE)?.messages ?? [])].map(([key, message]) => {
		const fields = [...message.arguments].map(([name, kind]) => `${name}: ${TYPE_OF[kind]}`);
		return `\t'${key}': ${fields.length ? `{ ${fields.join('; ')} }` : 'NoArguments'};`;
	});
	return [
		`// Generated from messages/${BASE}.json by \`npm run types\`. Do not edit.`,
		`import type { Value } from './format';`,
		'',
		'type NoArguments = Record<never, never>;',
		'',
		'/** The arguments of every message, by key. */',
		'export interface MessageArguments {',
		...lines,
		'}',
		''
	].join('\n');
}
