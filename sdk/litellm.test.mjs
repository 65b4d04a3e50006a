// LiteLLM's proxy behind Mana, npm `openai` → Mana → LiteLLM → the model's server, and in front of it too: the same
// proxy asks Mana. MANA_BIN is the server, MANA_LITELLM the proxy's program. Not among the tests: it weighs 750 MB
// (`cargo xtask sdk litellm`).
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
import { answer, ask, stream, tools, words } from "./plain.mjs";
import { upstream } from "./upstream.mjs";

const dir = mkdtempSync(join(tmpdir(), "mana-litellm-"));
let model, proxy, gateway, openai, front;

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Starts the proxy before the model and before Mana, and waits until it answers: Python takes its time. */
async function litellm(port) {
  const named = (model_name, model, api_base, api_key) => ({
    model_name,
    litellm_params: { model, api_base, api_key },
  });
  const config = {
    model_list: [
      named("m", "openai/m", model.url, "none"),
      named("mana/reasoning", "openai/mana/reasoning", gateway.url, gateway.key),
      named("by-messages", "anthropic/mana/reasoning", gateway.url.replace(/\/v1$/, ""), gateway.key),
    ],
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
}

before(async () => {
  model = await upstream();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v1`;
  gateway = await mana({ MANA_LLM_URL: url, MANA_LLM_KEY: "sk-litellm", MANA_LLM_MODEL: "m" });
  await litellm(port);
  openai = new OpenAI({ baseURL: gateway.url, apiKey: gateway.key });
  front = new OpenAI({ baseURL: url, apiKey: "sk-litellm" });
});

after(async () => {
  await gateway?.close();
  proxy?.kill("SIGKILL");
  model.close();
  rmSync(dir, { recursive: true });
});

test("an answer", () => answer(openai));

test("a stream, with its usage in the last chunk", () => stream(openai));

test("tools, whole and streamed, run to the end", async () => {
  for (const streamed of [false, true]) await tools(openai, streamed);
});

test("in front: a stream and tools by Chat Completions", async () => {
  await stream(front);
  for (const streamed of [false, true]) await tools(front, streamed);
});

test("in front: an answer and a stream by Messages, an answer by Responses", async () => {
  const request = { ...ask("Hi"), model: "by-messages", max_tokens: 50 };
  const whole = await front.chat.completions.create(request);
  assert.equal(whole.choices[0].message.content, words);
  let text = "";
  for await (const chunk of await front.chat.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.equal(text, words);
  const response = await front.responses.create({ model: "mana/reasoning", input: "Hi" });
  assert.equal(response.output_text, words);
});

test("an error keeps the model's reason through both", async () => {
  await assert.rejects(openai.chat.completions.create(ask("too long")), (error) => {
    assert.equal(error.status, 400);
    assert.match(error.message, /too many tokens/);
    return true;
  });
});
