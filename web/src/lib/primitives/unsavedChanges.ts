import { onDestroy } from 'svelte';
import { beforeNavigate } from '$app/navigation';
import { t } from '$lib/i18n';

const forms = new Set<() => boolean>();

/** Whether what stands open may go: asks where something is written in it. For a press that opens another form. */
export function mayLeaveForms(): boolean {
	return ![...forms].some((written) => written()) || confirm(t('form.leave'));
}

/** The draft of a form, as `now` returns it, until it is `saved`. Called while the form is made. */
export function draftOf(now: () => string): { saved: boolean; mayLeave: () => boolean } {
	const begun = now();
	const draft: ReturnType<typeof draftOf> = {
		saved: false,
		mayLeave: askBeforeLeaving(() => !draft.saved && now() !== begun)
	};
	return draft;
}

/** Leaving a form with something in it: the back button, a link, a reload, Escape. Called while a form is made. */
export function askBeforeLeaving(written: () => boolean): () => boolean {
	const mayLeave = () => !written() || confirm(t('form.leave'));
	forms.add(written);
	onDestroy(() => forms.delete(written));
	beforeNavigate(({ cancel, willUnload }) => {
		// at an unload the browser asks in its own words
		if (willUnload ? written() : !mayLeave()) cancel();
	});
	return mayLeave;
}
