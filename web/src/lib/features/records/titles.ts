/** The names of modules and records as people read them. */
import { t } from '$lib/i18n';
import { label, moduleOf } from './modules.svelte';
import type { Data, Table } from '$lib/core/types';
import { visible } from '$lib/core';

/** The table of a record, where its module is known here. */
export function tableOf(app: string, table: string): Table | undefined {
	return moduleOf(app)?.tables[table];
}

/** The name of a module. */
export function moduleName(app: string): string {
	return label(moduleOf(app)?.name) || app;
}

/** A record's title, with hidden characters written out (rule MISSIONS X1). */
export function titleOf(app: string, table: string, data: Data | undefined): string {
	const info = tableOf(app, table);
	if (info?.singleton) return moduleName(app);
	const value = data?.[info?.list?.title ?? 'title'] ?? data?.title ?? data?.name;
	if (typeof value === 'string' && value.trim()) return visible(value);
	// As on a card: of a number nothing is lost.
	if (typeof value === 'number') return String(value);
	return t('word.untitled');
}
