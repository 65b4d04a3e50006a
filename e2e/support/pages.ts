/** Every page of the app, with a mission to look at. */
export function pages(mission: string): string[] {
	return [
		'/',
		'/todo',
		'/calendar',
		'/notes',
		'/goals',
		'/places',
		'/context',
		'/more',
		'/companion/missions',
		'/companion/missions/new',
		`/companion/missions/${mission}`,
		`/companion/missions/${mission}/edit`,
		`/companion/missions/${mission}/runs/none`,
		'/companion/inbox',
		'/companion/agents',
		'/companion/agents/new',
		'/companion/agents/default',
		'/companion/policy',
		'/companion/workbench',
		'/companion/workbench/changes',
		'/companion/workbench/trash',
		'/settings',
		'/settings/models',
		'/settings/keys',
		'/settings/people',
		'/settings/usage'
	];
}
