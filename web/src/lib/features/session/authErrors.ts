import { errorText, t } from '$lib/i18n';

/** The message for an error of the sign-in pages; `invited`: the person comes by an invitation. */
export function authErrorText(error: unknown, invited = false): string {
	switch ((error as { code?: string } | null)?.code) {
		case 'offline':
			return t('door.offline');
		case 'wrong_credentials':
			return t('door.wrong');
		case 'rate_limited':
			return t('door.tooMany');
		case 'email_taken':
			return t('door.taken');
		case 'signup_closed':
			return t('door.closed');
		case 'invite_invalid':
		case 'owner_exists':
			return t(invited ? 'door.inviteBad' : 'door.tokenBad');
		default:
			return errorText(error);
	}
}
