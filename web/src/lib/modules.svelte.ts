import type { L10n, Manifest } from './core/types';
import { i18n } from './i18n';
/** The visible modules, in order. */
export const modules: Manifest[] = $state([]);
/** The module of an app id, hidden ones too. */
export function moduleOf(app: string): Manifest | undefined { return modules.find((m) => m.id === app); }
/** A manifest's text in the language of the screen. */
export function label(text: L10n | undefined | null): string { return text ? (text[i18n.locale] ?? text.en) : ''; }
