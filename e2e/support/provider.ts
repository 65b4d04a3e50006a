import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
// Its types are a package of their own; what is used of it is written down here.
import OidcProvider from 'oidc-provider';

/** An OpenID provider by `oidc-provider`, whose sign-in page takes any name as the identity. */
export class Provider {
	private constructor(
		readonly issuer: string,
		private readonly http: HttpServer
	) {}

	/** `redirect`: where the browser comes back to; known only once the server under test listens. */
	static async start(redirect: () => string): Promise<Provider> {
		const http = createServer();
		await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
		const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
		let provider: InstanceType<typeof OidcProvider> | undefined;
		const made = () =>
			(provider ??= new OidcProvider(issuer, {
				clients: [
					{
						client_id: 'mana',
						client_secret: 'a secret with : and %',
						redirect_uris: [redirect()],
						grant_types: ['authorization_code'],
						response_types: ['code']
					}
				],
				pkce: { required: () => true },
				claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'locale', 'zoneinfo'] },
				// Everything in the id token: Mana asks for nothing else.
				conformIdTokenClaims: false,
				cookies: { keys: ['of the test'] },
				features: { devInteractions: { enabled: true } },
				findAccount: (_: unknown, id: string) => ({
					accountId: id,
					claims: () => ({
						sub: id,
						email: `${id}@example.org`,
						email_verified: id !== 'unconfirmed',
						name: `Person ${id}`,
						zoneinfo: 'Europe/Berlin'
					})
				})
			}));
		http.on('request', (request, response) => void made().callback()(request, response));
		return new Provider(issuer, http);
	}

	get env(): Record<string, string> {
		return {
			MANA_OIDC_ISSUER: this.issuer,
			MANA_OIDC_CLIENT_ID: 'mana',
			MANA_OIDC_CLIENT_SECRET: 'a secret with : and %',
			MANA_OIDC_NAME: 'Homebase'
		};
	}

	async dispose(): Promise<void> {
		this.http.closeAllConnections();
		await new Promise((done) => this.http.close(done));
	}
}
