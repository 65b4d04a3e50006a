/** Whether the screen is a phone's: one column, thumb instead of keys. */
const phone = typeof matchMedia === 'undefined' ? null : matchMedia('(max-width: 60rem)');
const wide = typeof matchMedia === 'undefined' ? null : matchMedia('(min-width: 80rem)');
let isPhone = $state(phone?.matches ?? false);
let isWide = $state(wide?.matches ?? true);
phone?.addEventListener('change', (e) => (isPhone = e.matches));
wide?.addEventListener('change', (e) => (isWide = e.matches));

export const screen = {
	get phone(): boolean {
		return isPhone;
	},
	/** Wide enough for a list and a detail beside it. */
	get wide(): boolean {
		return isWide;
	}
};
