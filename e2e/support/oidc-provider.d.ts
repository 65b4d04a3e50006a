declare module 'oidc-provider' {
	import type { IncomingMessage, ServerResponse } from 'node:http';

	/** As far as `provider.ts` uses it. */
	export default class Provider {
		constructor(issuer: string, configuration: Record<string, unknown>);
		callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
	}
}
