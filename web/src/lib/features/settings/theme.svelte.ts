/** The themes that a person may choose. */
export type ThemeChoice = 'system' | 'light' | 'dark';

let choice = $state<ThemeChoice>(stored());

/** Light or dark; `system` follows the device. The same key is read by app.html before the first paint. */
export const theme = {
	get choice(): ThemeChoice {
		return choice;
	}
};

/** Choose and keep. */
export function setTheme(next: ThemeChoice): void {
	choice = next;
	if (next === 'system') {
		localStorage.removeItem('mana.theme');
		delete document.documentElement.dataset.theme;
	} else {
		localStorage.setItem('mana.theme', next);
		document.documentElement.dataset.theme = next;
	}
}

function stored(): ThemeChoice {
	const value = typeof localStorage === 'undefined' ? null : localStorage.getItem('mana.theme');
	return value === 'light' || value === 'dark' ? value : 'system';
}
