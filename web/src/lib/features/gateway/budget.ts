/** Budgets and what was spent, in words. */
import type { components } from '$lib/api/schema';
import { numberText, t } from '$lib/i18n';
import type { AiRun } from '$lib/core/types';

type Budget = components['schemas']['Budget'];

function dollars(usd: number, minimumFractionDigits: number, maximumFractionDigits: number): string {
	const style = { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol' } as const;
	return numberText(usd, { ...style, minimumFractionDigits, maximumFractionDigits });
}

/** US dollars: cents from one cent on, more places below. */
export function moneyText(usd: number): string {
	const places = usd === 0 || usd >= 0.01 ? 2 : 4;
	return dollars(usd, places, places);
}

/** The price of a model per million tokens: “$0.25 in, $2.00 out”. */
export function priceText(input: number, output: number): string {
	const price = (usd: number) => dollars(usd, 2, 4);
	return input || output ? t('models.priceText', { input: price(input), output: price(output) }) : t('models.free');
}

/** “at most 20,000 tokens a day, $0.50 a day”; empty where nothing is limited. */
export function budgetText(budget: Budget | null | undefined): string {
	const parts: string[] = [];
	if (budget?.tokensPerRun != null) parts.push(t('budget.runText', { count: budget.tokensPerRun }));
	if (budget?.tokensPerDay != null) parts.push(t('budget.dayText', { count: budget.tokensPerDay }));
	if (budget?.moneyPerDay != null) parts.push(t('budget.moneyText', { money: moneyText(budget.moneyPerDay) }));
	return parts.length ? t('budget.atMost', { what: parts.join(', ') }) : '';
}

/** The usage of runs: “12,300 tokens, $0.04”; empty for none. Money is shown where every run has a price. */
export function spentText(runs: readonly Pick<AiRun, 'tokens' | 'cost'>[]): string {
	const tokens = runs.reduce((sum, run) => sum + (run.tokens ?? 0), 0);
	if (!tokens) return '';
	const priced = runs.filter((run) => run.cost != null);
	const words = t('budget.tokens', { count: tokens });
	return priced.length ? `${words}, ${moneyText(priced.reduce((sum, run) => sum + run.cost!, 0))}` : words;
}
