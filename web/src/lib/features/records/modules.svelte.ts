import { visible } from '$lib/core';
import type { L10n, Manifest, Tool } from '$lib/core/types';
import { i18n } from '$lib/i18n';

let all = $state.raw<Manifest[]>([]);

/** The modules that a person sees, in order. */
export const modules: Manifest[] = $state([]);

/** The module of an app id, hidden ones too. */
export function moduleOf(app: string): Manifest | undefined {
	return all.find((manifest) => manifest.id === app);
}

/** The tool of a name, with its module. */
export function toolNamed(name: string): { module: Manifest; tool: Tool } | undefined {
	for (const module of all) {
		const tool = module.tools?.find((one) => one.name === name);
		if (tool) return { module, tool };
	}
	return undefined;
}

/** The address of a module's page. */
export function routeOf(app: string): string {
	return moduleOf(app)?.route ?? `/${app}`;
}

/** A manifest's text in the language of the screen, with hidden characters written out (rule MISSIONS X1). */
export function label(text: L10n | undefined | null): string {
	return text ? visible(text[i18n.locale] ?? text.en) : '';
}

/** Take over the modules of whoever is signed in. */
export function showModules(manifests: Manifest[]): void {
	all = manifests;
	const visible = manifests.filter((manifest) => !manifest.hidden);
	visible.sort((a, b) => (a.order ?? 1000) - (b.order ?? 1000) || a.id.localeCompare(b.id));
	modules.splice(0, modules.length, ...visible);
}
