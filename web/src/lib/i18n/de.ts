import type { Messages } from './i18n.svelte';
export const de: Messages = { 'app.name': 'Mana' };
