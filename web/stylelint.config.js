/** @type {import('stylelint').Config} */
export default {
	extends: ['stylelint-config-standard', 'stylelint-config-html/svelte'],
	ignoreFiles: ['build/**', '.svelte-kit/**'],
	reportDescriptionlessDisables: true,
	reportNeedlessDisables: true,
	rules: {
		// Components hold what is narrower beside what it narrows; the order is by place on the page.
		'no-descending-specificity': null,
		// Safari before 15.4 knows masks by their prefix alone.
		'property-no-vendor-prefix': null,
		'value-no-vendor-prefix': null,
		// Rules of one thing stand together without empty lines between them.
		'rule-empty-line-before': null,
		'comment-empty-line-before': null,
		'custom-property-empty-line-before': null,
		// `width <= 60rem` is newer than the browsers that the app supports.
		'media-feature-range-notation': 'prefix',
		'import-notation': 'string',
		// Names of fonts are written as their makers write them.
		'value-keyword-case': ['lower', { camelCaseSvgKeywords: true, ignoreProperties: ['/^--font/', 'font-family'] }],
		'selector-pseudo-class-no-unknown': [true, { ignorePseudoClasses: ['global'] }]
	}
};
