// The clients that other programs use, unchanged, against a running Mana: npm `openai`, npm `ai` with its
// OpenAI-compatible provider, Python `openai`. MANA_BIN is the server, MANA_PYTHON a Python that has `openai`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

import { mana } from "./mana.mjs";
import { answer, ask, stream, tools, words } from "./plain.mjs";
import { upstream } from "./upstream.mjs";

let model, gateway, url, key, openai;

before(async () => {
  model = await upstream();
  gateway = await mana({ MANA_LLM_URL: model.url, MANA_LLM_MODEL: "m" });
  ({ url, key } = gateway);
  openai = new OpenAI({ baseURL: url, apiKey: key });
});

after(async () => {
  await gateway.close();
  model.close();
});

test("openai: an answer, with the one who gave it", () => answer(openai));

test("openai: a stream, with its usage in the last chunk", () => stream(openai));

test("openai: tools, streamed and run", () => tools(openai, true));

test("openai: an answer by a schema, embeddings, models", async () => {
  const format = { type: "json_schema", json_schema: { name: "city", strict: true, schema: { type: "object" } } };
  const parsed = await openai.chat.completions.parse({ ...ask("City?"), response_format: format });
  assert.equal(JSON.parse(parsed.choices[0].message.content).city, "Bern");
  const embedded = await openai.embeddings.create({ model: "default/m", input: "x", encoding_format: "float" });
  assert.deepEqual(embedded.data[0].embedding, [0.5, -0.5]);
  const names = (await openai.models.list()).data.map((listed) => listed.id);
  assert.ok(names.includes("mana/reasoning") && names.includes("builtin/outline"), names.join());
});

test("openai: an error keeps the upstream's reason, and a wrong key is named", async () => {
  await assert.rejects(openai.chat.completions.create(ask("too long")), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "context_length_exceeded");
    assert.match(error.message, /too many tokens/);
    return true;
  });
  const stranger = new OpenAI({ baseURL: url, apiKey: "nobody" });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test("ai: text, a stream and a tool through the OpenAI-compatible provider", async () => {
  const provider = createOpenAICompatible({ name: "mana", baseURL: url, apiKey: key, includeUsage: true });
  const chat = provider("mana/reasoning");
  assert.equal((await generateText({ model: chat, prompt: "Hi" })).text, words);
  const streamed = streamText({ model: chat, prompt: "Hi" });
  let text = "";
  for await (const piece of streamed.textStream) text += piece;
  assert.equal(text, words);
  assert.equal((await streamed.usage).outputTokens, 3);
  const cities = [];
  const execute = async ({ city }) => void cities.push(city) ?? "sunny";
  const tools = { weather: tool({ inputSchema: z.object({ city: z.string() }), execute }) };
  const done = await generateText({ model: chat, prompt: "Weather?", tools, stopWhen: stepCountIs(3) });
  assert.equal(done.text, "It is sunny.");
  assert.deepEqual(cities, ["Bern"]);
});

test("Python's openai: an answer, a stream, tools, embeddings, errors", async () => {
  const run = promisify(execFile);
  const env = { ...process.env, OPENAI_BASE_URL: url, OPENAI_API_KEY: key };
  const { stdout } = await run(process.env.MANA_PYTHON, ["gateway_test.py"], { env });
  assert.equal(stdout.trim(), "ok");
});
