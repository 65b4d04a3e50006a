// LiteLLM's proxy between Mana and a model: npm `openai` → Mana → LiteLLM → the model's server. MANA_BIN is the server,
// MANA_LITELLM the proxy's program. Not among the tests: it weighs 750 MB (`cargo xtask sdk litellm`).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";

import OpenAI from "openai";

import { mana } from "./mana.mjs";
import { answer, ask, stream, tools } from "./plain.mjs";
import { upstream } from "./upstream.mjs";

const dir = mkdtempSync(join(tmpdir(), "mana-litellm-"));
let model, proxy, gateway, openai;

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Starts the proxy before the model, and waits until it answers: Python takes its time. */
async function litellm() {
  const port = await freePort();
  const config = {
    model_list: [{ model_name: "m", litellm_params: { model: "openai/m", api_base: model.url, api_key: "none" } }],
    general_settings: { master_key: "sk-litellm" },
  };
  // JSON is YAML.
  writeFileSync(join(dir, "config.yaml"), JSON.stringify(config));
  const log = openSync(join(dir, "log"), "w");
  const listen = ["--host", "127.0.0.1", "--port", String(port)];
  const args = ["--config", join(dir, "config.yaml"), ...listen, "--telemetry", "False"];
  proxy = spawn(process.env.MANA_LITELLM, args, { cwd: dir, stdio: ["ignore", log, log] });
  const url = `http://127.0.0.1:${port}`;
  const alive = () => fetch(`${url}/health/liveliness`).then((answer) => answer.ok, () => false);
  while (!(await alive())) {
    assert.equal(proxy.exitCode, null, readFileSync(join(dir, "log"), "utf8"));
    await wait(200);
  }
  return url;
}

before(async () => {
  model = await upstream();
  gateway = await mana({ MANA_LLM_URL: (await litellm()) + "/v1", MANA_LLM_KEY: "sk-litellm", MANA_LLM_MODEL: "m" });
  openai = new OpenAI({ baseURL: gateway.url, apiKey: gateway.key });
});

after(async () => {
  await gateway?.close();
  proxy.kill("SIGKILL");
  model.close();
  rmSync(dir, { recursive: true });
});

test("an answer", () => answer(openai));

test("a stream, with its usage in the last chunk", () => stream(openai));

test("tools, whole and streamed, run to the end", async () => {
  for (const streamed of [false, true]) await tools(openai, streamed);
});

test("an error keeps the model's reason through both", async () => {
  await assert.rejects(openai.chat.completions.create(ask("too long")), (error) => {
    assert.equal(error.status, 400);
    assert.match(error.message, /too many tokens/);
    return true;
  });
});
