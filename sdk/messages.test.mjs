// Clients that speak Anthropic's Messages, unchanged, against a running Mana before a model that speaks Chat
// Completions: npm `@anthropic-ai/sdk`, npm `ai` with its Anthropic provider, Python `anthropic`. MANA_BIN is the
// server, MANA_PYTHON a Python that has `anthropic`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { createAnthropic } from "@ai-sdk/anthropic";
import Anthropic from "@anthropic-ai/sdk";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { mana } from "./mana.mjs";
import { words } from "./plain.mjs";
import { upstream } from "./upstream.mjs";

let model, gateway, root, key, anthropic;

const ask = (content, more) => ({
  model: "mana/reasoning",
  max_tokens: 500,
  messages: [{ role: "user", content }],
  ...more,
});
const weather = {
  name: "weather",
  description: "Tells the weather.",
  input_schema: { type: "object", properties: { city: { type: "string" } } },
};

before(async () => {
  model = await upstream();
  gateway = await mana({ MANA_LLM_URL: model.url, MANA_LLM_MODEL: "m" });
  key = gateway.key;
  // Anthropic's clients add the `/v1` by themselves.
  root = gateway.url.replace(/\/v1$/, "");
  anthropic = new Anthropic({ baseURL: root, apiKey: key });
});

after(async () => {
  await gateway.close();
  model.close();
});

test("@anthropic-ai/sdk: an answer, with the one who gave it", async () => {
  const { data, response } = await anthropic.messages.create(ask("Hi")).withResponse();
  assert.deepEqual(data.content, [{ type: "text", text: words }]);
  assert.equal(data.stop_reason, "end_turn");
  assert.equal(data.usage.output_tokens, 3);
  assert.equal(response.headers.get("x-mana-llm-resolved"), "default/m");
});

test("@anthropic-ai/sdk: a stream, put together by the client", async () => {
  let text = "";
  const stream = anthropic.messages.stream(ask("Hi")).on("text", (piece) => (text += piece));
  const message = await stream.finalMessage();
  assert.equal(text, words);
  assert.equal(message.content[0].text, words);
  assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [7, 3]);
});

test("@anthropic-ai/sdk: a tool, called and answered, streamed and not", async () => {
  for (const streams of [false, true]) {
    const request = ask("Weather?", { tools: [weather], system: "Be brief." });
    const first = streams
      ? await anthropic.messages.stream(request).finalMessage()
      : await anthropic.messages.create(request);
    assert.equal(first.stop_reason, "tool_use");
    const call = first.content.find((block) => block.type === "tool_use");
    assert.deepEqual([call.name, call.input], ["weather", { city: "Bern" }]);
    const result = { type: "tool_result", tool_use_id: call.id, content: "sunny in Bern" };
    request.messages.push({ role: "assistant", content: first.content }, { role: "user", content: [result] });
    const second = await anthropic.messages.create(request);
    assert.equal(second.content[0].text, "It is sunny.");
  }
});

test("@anthropic-ai/sdk: a bearer, tokens, models, errors", async () => {
  const bearer = new Anthropic({ baseURL: root, authToken: key, apiKey: null });
  const counted = await bearer.messages.countTokens({ model: "mana/reasoning", messages: ask("Hi").messages });
  assert.ok(counted.input_tokens > 0);
  const names = [];
  for await (const listed of anthropic.models.list()) names.push(listed.id);
  assert.ok(names.includes("mana/reasoning"), names.join());
  await assert.rejects(anthropic.messages.create(ask("too long")), (error) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.match(error.message, /too many tokens/);
    return true;
  });
  const stranger = new Anthropic({ baseURL: root, apiKey: "nobody" });
  await assert.rejects(stranger.messages.create(ask("Hi")), Anthropic.AuthenticationError);
  const unknown = anthropic.messages.create({ ...ask("Hi"), model: "mana/nope" });
  await assert.rejects(unknown, Anthropic.NotFoundError);
});

test("ai: text, a stream and a tool through Anthropic's provider", async () => {
  const provider = createAnthropic({ baseURL: gateway.url, apiKey: key });
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

test("Python's anthropic: an answer, a stream, tools, errors", async () => {
  const run = promisify(execFile);
  const env = { ...process.env, ANTHROPIC_BASE_URL: root, ANTHROPIC_API_KEY: key };
  const { stdout } = await run(process.env.MANA_PYTHON, ["messages_test.py"], { env });
  assert.equal(stdout.trim(), "ok");
});
