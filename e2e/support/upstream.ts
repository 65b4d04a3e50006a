import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A step of a plan, as a model would write it. */
export type PlannedStep = {
	summary: string;
	toolName: string;
	params: Record<string, unknown>;
	rationale: string;
};

/** A model's answer in the grammar of WIRE.md. */
export function plan(summary: string, steps: PlannedStep[]): string {
	return 'Here is the plan.\n\n```json\n' + JSON.stringify({ summary, steps }, null, 2) + '\n```\n';
}

/** A real HTTP upstream that speaks OpenAI's protocol, and writes what a test tells it to. */
export class Upstream {
	/** The messages of every request, oldest first. */
	readonly prompts: { role: string; content: string }[][] = [];
	/** The texts of the next answers; the last one stays. */
	answers: string[] = [plan('Nothing to do.', [])];
	/** The keys that requests came with, oldest first. */
	readonly keys: (string | undefined)[] = [];
	/** How long it thinks, in milliseconds. */
	thinkMs = 0;
	#http!: HttpServer;

	static async start(): Promise<Upstream> {
		const upstream = new Upstream();
		const answer = async (request: IncomingMessage, response: ServerResponse) => {
			const json = (status: number, body: unknown) => {
				response.writeHead(status, { 'content-type': 'application/json' });
				response.end(JSON.stringify(body));
			};
			if (request.url === '/v1/models')
				return json(200, { object: 'list', data: [{ id: 'test-model', object: 'model' }] });
			if (request.url !== '/v1/chat/completions') return json(404, { error: { message: 'not here' } });
			upstream.keys.push(request.headers.authorization);
			let body = '';
			for await (const chunk of request) body += String(chunk);
			const { messages } = JSON.parse(body) as { messages: { role: string; content: string }[] };
			upstream.prompts.push(messages);
			const content = upstream.answers.length > 1 ? upstream.answers.shift() : upstream.answers[0];
			if (upstream.thinkMs) await new Promise((done) => setTimeout(done, upstream.thinkMs));
			json(200, {
				id: 'chatcmpl-1',
				object: 'chat.completion',
				created: Math.floor(Date.now() / 1000),
				model: 'test-model',
				choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
				usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 }
			});
		};
		upstream.#http = createServer((request, response) => {
			answer(request, response).catch((error: Error) => response.destroy(error));
		});
		await new Promise<void>((done) => upstream.#http.listen(0, '127.0.0.1', done));
		return upstream;
	}

	/** Its address, as one gives it to a server. */
	get url(): string {
		const { port } = this.#http.address() as AddressInfo;
		return `http://127.0.0.1:${port}/v1`;
	}

	/** The environment that sends a server's runner here. */
	get env(): Record<string, string> {
		return { MANA_LLM_URL: this.url, MANA_LLM_MODEL: 'test-model' };
	}

	/** The last request's messages as one text. */
	get lastPrompt(): string {
		return (this.prompts.at(-1) ?? []).map((message) => message.content).join('\n\n');
	}

	async stop(): Promise<void> {
		this.#http.closeAllConnections();
		await new Promise((done) => this.#http.close(done));
	}
}
