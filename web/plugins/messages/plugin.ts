/**
 * Serves the message files as modules: `virtual:messages` lists the languages with their loaders, and each language's
 * messages are two chunks of their own, compiled. A file that is dropped into the folder is a language, without code.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { compiledMessages, PARTS, readCatalogues, type Catalogue } from './catalogue.ts';
import { messageTypes } from './types.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../src/lib/i18n');
export const MESSAGES_FOLDER = join(root, 'messages');
export const TYPES_FILE = join(root, 'messages.d.ts');

const LIST = 'virtual:messages';
const LANGUAGE = 'virtual:messages/';

export function messages(): Plugin {
	return {
		name: 'mana:messages',
		resolveId(id) {
			if (id === LIST || id.startsWith(LANGUAGE)) return `\0${id}`;
			return undefined;
		},
		load(id) {
			if (!id.startsWith(`\0${LIST}`)) return undefined;
			for (const name of readdirSync(MESSAGES_FOLDER)) this.addWatchFile(join(MESSAGES_FOLDER, name));
			const catalogues = readCatalogues(MESSAGES_FOLDER);
			if (id === `\0${LIST}`) return listModule(catalogues);
			const [tag, wanted] = id.slice(`\0${LANGUAGE}`.length).split('/');
			const catalogue = catalogues.get(tag ?? '');
			const part = PARTS.find((name) => name === wanted);
			return catalogue && part && `export default ${JSON.stringify(compiledMessages(catalogue, part))};`;
		},
		configureServer(server) {
			if (process.env.VITEST) return;
			writeTypes();
			server.watcher.on('all', (_event, file) => {
				if (dirname(file) !== MESSAGES_FOLDER) return;
				writeTypes();
				for (const [id, module] of server.moduleGraph.idToModuleMap) {
					if (id.startsWith(`\0${LIST}`)) server.moduleGraph.invalidateModule(module);
				}
				server.ws.send({ type: 'full-reload' });
			});
		}
	};
}

/** Writes the types of keys and arguments beside the messages. */
export function writeTypes(): void {
	writeFileSync(TYPES_FILE, messageTypes(readCatalogues(MESSAGES_FOLDER)));
}

function listModule(catalogues: ReadonlyMap<string, Catalogue>): string {
	const languages = [...catalogues.values()].map(({ tag, header }) => ({ tag, ...header }));
	const loaders = languages.map(({ tag }) => {
		const parts = PARTS.map((part) => {
			const chunk = JSON.stringify(`${LANGUAGE}${tag}/${part}`);
			return `${part}: () => import(${chunk}).then((module) => module.default)`;
		});
		return `${JSON.stringify(tag)}: { ${parts.join(', ')} }`;
	});
	return `export const languages = ${JSON.stringify(languages)};\nexport const loaders = { ${loaders.join(', ')} };`;
}
