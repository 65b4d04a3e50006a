import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const BINARY = process.env.MANA_BIN ?? resolve(import.meta.dirname, '../../target/debug/mana');

/** The real binary on a data directory of its own. */
export class Server {
	/** `http://127.0.0.1:PORT`, the same after a restart. */
	url = '';
	/** The first-run link, as printed. */
	setupLink = '';
	/** Milliseconds from spawn to the first answer of /health, of the last start. */
	startMs = 0;
	#child?: ChildProcess;
	#output: string[] = [];

	private constructor(
		readonly dataDir: string,
		private readonly env: Record<string, string>
	) {}

	static async start(env: Record<string, string> = {}): Promise<Server> {
		const server = new Server(await mkdtemp(join(tmpdir(), 'mana-e2e-')), env);
		// A model server that runs on this machine is not part of the test.
		await writeFile(join(server.dataDir, 'mana.toml'), '[llm]\nfind_ollama = false\n');
		await server.up();
		return server;
	}

	get pid(): number {
		return this.#child!.pid!;
	}

	/** Everything that the server printed. */
	get output(): string {
		return this.#output.join('\n');
	}

	/** Starts the server, on the same data and the same port as before. */
	async up(): Promise<void> {
		const began = performance.now();
		const child = spawn(BINARY, ['serve'], {
			env: {
				PATH: process.env.PATH,
				MANA_DATA_DIR: this.dataDir,
				MANA_LISTEN: this.url ? new URL(this.url).host : '127.0.0.1:0',
				// Nothing runs by itself unless a test asks for it.
				TICK_ENABLED: 'false',
				...this.env
			},
			stdio: ['ignore', 'pipe', 'pipe']
		});
		this.#child = child;
		const ready = new Promise<void>((done, fail) => {
			const read = (line: string) => {
				this.#output.push(line);
				// Each start prints a new one until there is an owner.
				this.setupLink = /https?:\/\/\S+\/setup#token=\S+/.exec(line)?.[0] ?? this.setupLink;
				const url = /ready: (https?:\/\/[^\s/]+)/i.exec(line)?.[1];
				if (url) {
					this.url = url;
					done();
				}
			};
			createInterface({ input: child.stdout }).on('line', read);
			createInterface({ input: child.stderr }).on('line', read);
			child.once('exit', (code) => fail(new Error(`mana ended with ${code}:\n${this.output}`)));
		});
		await ready;
		while (!(await fetch(`${this.url}/health`).catch(() => undefined))?.ok);
		this.startMs = performance.now() - began;
	}

	/** `SIGKILL`: no chance to clean up. */
	async kill(): Promise<void> {
		await this.#end('SIGKILL');
	}

	/** `SIGTERM`: finishes or releases what runs. */
	async stop(): Promise<void> {
		await this.#end('SIGTERM');
	}

	/** Another server at the same address, with nothing of what this one knew. */
	async loseEverything(): Promise<void> {
		await this.kill();
		const settings = await readFile(join(this.dataDir, 'mana.toml'));
		await rm(this.dataDir, { recursive: true });
		await mkdir(this.dataDir);
		await writeFile(join(this.dataDir, 'mana.toml'), settings);
		await this.up();
	}

	/** Runs what is due, as an operator would; the answer is the tick's report. */
	async tick(): Promise<Record<string, unknown>> {
		const key = (await readFile(join(this.dataDir, 'service.key'), 'utf8')).trim();
		const answer = await fetch(`${this.url}/internal/tick`, {
			method: 'POST',
			headers: { 'x-service-key': key }
		});
		if (!answer.ok) throw new Error(`tick: ${answer.status} ${await answer.text()}`);
		return answer.json() as Promise<Record<string, unknown>>;
	}

	/** Another command on the same data directory, beside the running server. Answers what it printed. */
	async run(...args: string[]): Promise<string> {
		const env = { PATH: process.env.PATH, MANA_DATA_DIR: this.dataDir, ...this.env };
		return (await promisify(execFile)(BINARY, args, { env })).stdout;
	}

	async dispose(): Promise<void> {
		await this.kill();
		await rm(this.dataDir, { recursive: true, force: true });
	}

	async #end(signal: NodeJS.Signals): Promise<void> {
		const child = this.#child;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const ended = new Promise((done) => child.once('exit', done));
		child.kill(signal);
		await ended;
	}
}
