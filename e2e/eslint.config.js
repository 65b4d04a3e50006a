import { testRules, typescript } from '../web/eslint.config.js';

/** The packages are those of the web app; only the project differs. */
export default [
	{ ignores: ['test-results', 'playwright-report', 'eslint.config.js'] },
	...typescript,
	{
		languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
		rules: testRules
	}
];
