/** Usage, summed for the page: by day for the plot, by name for the table. */
import type { Usage } from './gateway';

export interface Used {
	calls: number;
	failed: number;
	cancelled: number;
	promptTokens: number;
	completionTokens: number;
	money: number;
}

const NOTHING: Used = { calls: 0, failed: 0, cancelled: 0, promptTokens: 0, completionTokens: 0, money: 0 };

function plus(a: Used, b: Used): Used {
	return {
		calls: a.calls + b.calls,
		failed: a.failed + b.failed,
		cancelled: a.cancelled + b.cancelled,
		promptTokens: a.promptTokens + b.promptTokens,
		completionTokens: a.completionTokens + b.completionTokens,
		money: a.money + b.money
	};
}

export const tokensOf = (used: Used) => used.promptTokens + used.completionTokens;

/** Everything together. */
export const totalOf = (usage: Usage): Used => usage.sums.reduce<Used>(plus, NOTHING);

/** Each day of the period, the empty ones too. */
export function byDay(usage: Usage): (Used & { day: string })[] {
	const days = new Map<string, Used>(usage.days.map((day) => [day, NOTHING]));
	for (const sum of usage.sums) days.set(sum.day, plus(days.get(sum.day) ?? NOTHING, sum));
	return [...days].map(([day, used]) => ({ day, ...used }));
}

/** Each model, mission, agent, key or person: the dearest first, then the one with most tokens. */
export function byName(usage: Usage): (Used & { of: string })[] {
	const names = new Map<string, Used>();
	for (const sum of usage.sums) names.set(sum.of, plus(names.get(sum.of) ?? NOTHING, sum));
	return [...names]
		.map(([of, used]) => ({ of, ...used }))
		.sort((a, b) => b.money - a.money || tokensOf(b) - tokensOf(a) || a.of.localeCompare(b.of));
}

/** A mission or an agent is `<user>/<id>`. */
export function ownerAndId(of: string): { user: string; id: string } {
	const at = of.indexOf('/');
	return { user: of.slice(0, at), id: of.slice(at + 1) };
}
