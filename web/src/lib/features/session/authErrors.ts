import { errorText, t, type PlainKey } from '$lib/i18n';

/** Messages about passwords that are easy to guess, by the server's word for the fault. */
const FAULTS: Record<string, PlainKey> = {
	'key-row': 'password.weakKeys',
	'key-pattern': 'password.weakKeys',
	repeat: 'password.weakRepeat',
	'repeated-part': 'password.weakRepeat',
	common: 'password.weakCommon',
	'like-common': 'password.weakCommon',
	sequence: 'password.weakSequence',
	year: 'password.weakDate',
	date: 'password.weakDate',
	word: 'password.weakWord',
	name: 'password.weakName',
	simple: 'password.weakSimple'
};

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
		case 'account_locked':
			return t('signIn.locked');
		case 'code_wrong':
			return t('factor.wrong');
		case 'step_expired':
			return t('factor.expired');
		case 'provider_failed':
			return t('signIn.providerFailed');
		case 'last_owner':
			return t('people.lastOwner');
		case 'invalid_request': {
			const fault = FAULTS[(error as { details?: { fault?: string } }).details?.fault ?? ''];
			return fault ? t('password.weak', { why: t(fault) }) : errorText(error);
		}
		case 'signup_closed':
			return t('signIn.closed');
		case 'invite_invalid':
		case 'owner_exists':
			return t(invited ? 'signIn.inviteBad' : 'signIn.tokenBad');
		default:
			return errorText(error);
	}
}

/** The challenge of the second step, where the error asks for one; empty otherwise. */
export function challengeOf(error: unknown): string {
	const { code, details } = (error ?? {}) as { code?: string; details?: { challenge?: string } };
	return code === 'second_step_required' ? (details?.challenge ?? '') : '';
}
