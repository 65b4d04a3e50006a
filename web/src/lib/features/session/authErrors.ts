import { errorText, t } from '$lib/i18n';

/** The message for an error of the sign-in pages; `invited`: the person comes by an invitation. */
export function authErrorText(error: unknown, invited = false): string {
	switch ((error as { code?: string } | null)?.code) {
		case 'offline':
			return t('signIn.offline');
		case 'wrong_credentials':
			return t('signIn.wrong');
		case 'rate_limited':
			return t('signIn.tooMany');
		case 'email_taken':
			return t('signIn.taken');
		case 'signup_closed':
			return t('signIn.closed');
		case 'invite_invalid':
		case 'owner_exists':
			return t(invited ? 'signIn.inviteBad' : 'signIn.tokenBad');
		default:
			return errorText(error);
	}
}
