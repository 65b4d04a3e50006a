/** The view of a plan: everything that a mission proposes, on one sheet. */

/** The address of a mission's plan. */
export function planHref(missionId: string): string {
	return `/companion/missions/${missionId}/plan`;
}
