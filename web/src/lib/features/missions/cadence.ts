/** A cadence in words. */
import { t } from '$lib/i18n';
import type { Cadence } from '$lib/core/types';
import { weekdayName } from '$lib/primitives/format';

const clockText = (hour: number, minute = 0) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;

/** “Weekdays at 08:00”, “Every 2 hours”. */
export function cadenceText(cadence: Cadence | undefined): string {
	switch (cadence?.kind) {
		case 'interval':
			return cadence.everyMinutes % 60 === 0
				? t('cadence.hours', { count: cadence.everyMinutes / 60 })
				: t('cadence.minutes', { count: cadence.everyMinutes });
		case 'daily':
			return t('cadence.daily', { time: clockText(cadence.atHour, cadence.atMinute) });
		case 'weekly':
			return t('cadence.weekly', {
				day: weekdayName(cadence.dayOfWeek),
				time: clockText(cadence.atHour, cadence.atMinute)
			});
		case 'cron': {
			const weekdays = /^(\d{1,2}) (\d{1,2}) \* \* (1-5|MON-FRI)$/i.exec(cadence.expression.trim());
			if (weekdays) return t('cadence.weekdays', { time: clockText(Number(weekdays[2]), Number(weekdays[1])) });
			return t('cadence.cron', { expression: cadence.expression });
		}
		default:
			return t('cadence.manual');
	}
}
