// A Mana of its own for these tests: its gateway alone, before one upstream. MANA_BIN is the server.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Starts it; `env` names the upstream. `url` has its `/v1`, `key` is the service key. */
export async function mana(env) {
  const dir = mkdtempSync(join(tmpdir(), "mana-sdk-"));
  writeFileSync(join(dir, "mana.toml"), "[llm]\nfind_ollama = false\n");
  const server = spawn(process.env.MANA_BIN, ["serve"], {
    env: { MANA_DATA_DIR: dir, MANA_LISTEN: "127.0.0.1:0", MANA_ROLES: "llm", TICK_ENABLED: "false", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let url;
  for await (const line of createInterface({ input: server.stdout })) {
    url = line.match(/^Mana is ready: (.*)$/)?.[1] + "/v1";
    break;
  }
  const key = readFileSync(join(dir, "service.key"), "utf8").trim();
  const close = async () => {
    const ended = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await ended;
    rmSync(dir, { recursive: true });
  };
  return { url, key, close };
}
