import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

/** Rules of every TypeScript file, of the browser tests too (`e2e/eslint.config.js`). */
export const typescript = ts.config(
	js.configs.recommended,
	ts.configs.recommendedTypeChecked,
	{
		plugins: { 'import-x': importX },
		rules: {
			'@typescript-eslint/no-floating-promises': 'error',
			'@typescript-eslint/no-misused-promises': 'error',
			'@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
			// `const { [key]: _, ...rest } = value` is how an object without one key is written.
			'@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
			'import-x/no-cycle': 'error'
		}
	},
	{ linterOptions: { reportUnusedDisableDirectives: 'error' } }
);

/** A fake is `async` because the interface that it stands in for is; `expect.any` and its kin are typed `any`. */
export const testRules = {
	'@typescript-eslint/require-await': 'off',
	'@typescript-eslint/no-unsafe-assignment': 'off'
};

export default ts.config(
	{ ignores: ['build', '.svelte-kit', 'static', 'src/lib/api/schema.d.ts', 'src/lib/core/wasm'] },
	typescript,
	svelte.configs.recommended,
	{
		languageOptions: {
			globals: globals.browser,
			parserOptions: {
				projectService: { allowDefaultProject: ['*.js', 'src/service-worker.ts'] },
				tsconfigRootDir: import.meta.dirname,
				extraFileExtensions: ['.svelte'],
				// The parser of scripts in components. TypeScript files need it too: `no-cycle` parses the components that
				// they import with the options of the file that is checked.
				parser: ts.parser
			}
		},
		settings: {
			'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.json' })],
			'import-x/parsers': { '@typescript-eslint/parser': ['.ts'], 'svelte-eslint-parser': ['.svelte'] }
		}
	},
	{
		rules: {
			// The app is always served at the root of its host: there is no base path to resolve.
			'svelte/no-navigation-without-resolve': 'off',
			// The rule can't tell a Map that a `$derived` builds anew, or that no page shows, from one that is state.
			'svelte/prefer-svelte-reactivity': 'off'
		}
	},
	{
		files: ['**/*.svelte'],
		rules: {
			// ESLint sees no types across components and snippets; svelte-check does, and stands in the same command.
			'@typescript-eslint/no-unsafe-argument': 'off',
			'@typescript-eslint/no-unsafe-assignment': 'off',
			'@typescript-eslint/no-unsafe-call': 'off',
			'@typescript-eslint/no-unsafe-member-access': 'off',
			'@typescript-eslint/no-unsafe-return': 'off'
		}
	},
	{
		files: ['src/**'],
		ignores: ['src/lib/features/records/fieldUi.ts'],
		rules: {
			'no-restricted-syntax': [
				'error',
				...['BinaryExpression > ', 'SwitchStatement > '].map((parent) => ({
					selector: `${parent}MemberExpression[property.name='type'][object.name=/^(f|field|param)$/]`,
					message: 'A difference between field kinds is a property of a row in FIELD_UI.'
				}))
			]
		}
	},
	{
		files: ['src/lib/features/records/fieldUi.ts'],
		rules: {
			'no-restricted-syntax': [
				'error',
				{
					selector: "VariableDeclarator[id.name='FIELD_UI'] SpreadElement",
					message: 'A row says each property itself, so that a new kind does not inherit one unnoticed.'
				}
			]
		}
	},
	{ files: ['**/*.test.ts', 'src/lib/testing/**'], rules: testRules },
	{ files: ['*.js', '*.config.ts'], languageOptions: { globals: globals.node } }
);
