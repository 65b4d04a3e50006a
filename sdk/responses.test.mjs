// Clients that speak OpenAI's Responses, unchanged, against a running Mana before a model that speaks Chat
// Completions: npm `openai`, npm `ai` with its OpenAI provider, Python `openai`. MANA_BIN is the server, MANA_PYTHON a
// Python that has `openai`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

import { mana } from "./mana.mjs";
import { words } from "./plain.mjs";
import { upstream } from "./upstream.mjs";

let model, gateway, url, key, openai;

const ask = (input, more) => ({ model: "mana/reasoning", input, ...more });
const weather = { type: "function", name: "weather", strict: false, parameters: { type: "object", properties: {} } };

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

test("openai: a response, with the one who gave it", async () => {
  const { data, response } = await openai.responses.create(ask("Hi", { instructions: "Be brief." })).withResponse();
  assert.equal(data.output_text, words);
  assert.equal(data.status, "completed");
  assert.equal(data.usage.total_tokens, 10);
  assert.equal(response.headers.get("x-mana-llm-resolved"), "default/m");
});

test("openai: a stream, put together by the client", async () => {
  let text = "";
  const stream = openai.responses.stream(ask("Hi")).on("response.output_text.delta", ({ delta }) => (text += delta));
  const response = await stream.finalResponse();
  assert.equal(text, words);
  assert.equal(response.output_text, words);
  assert.equal(response.usage.output_tokens, 3);
});

test("openai: a tool, called and answered, streamed and not", async () => {
  for (const streams of [false, true]) {
    const input = [{ role: "user", content: "Weather?" }];
    const request = ask(input, { tools: [weather] });
    const first = streams
      ? await openai.responses.stream(request).finalResponse()
      : await openai.responses.create(request);
    const call = first.output.find((item) => item.type === "function_call");
    assert.deepEqual([call.name, call.arguments], ["weather", '{"city":"Bern"}']);
    input.push(...first.output, { type: "function_call_output", call_id: call.call_id, output: "sunny in Bern" });
    const second = await openai.responses.create(request);
    assert.equal(second.output_text, "It is sunny.");
  }
});

test("openai: an answer by a schema, and errors by name", async () => {
  const format = { type: "json_schema", name: "city", strict: true, schema: { type: "object" } };
  const parsed = await openai.responses.parse(ask("City?", { text: { format } }));
  assert.deepEqual(parsed.output_parsed, { city: "Bern" });
  await assert.rejects(openai.responses.create(ask("too long")), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "context_length_exceeded");
    return true;
  });
  for (const more of [{ previous_response_id: "resp_1" }, { store: true }, { tools: [{ type: "file_search" }] }]) {
    await assert.rejects(openai.responses.create(ask("Hi", more)), OpenAI.BadRequestError);
  }
  await assert.rejects(openai.responses.retrieve("resp_1"), OpenAI.NotFoundError);
});

test("ai: text, a stream and a tool through OpenAI's provider", async () => {
  const provider = createOpenAI({ baseURL: url, apiKey: key });
  const chat = provider.responses("mana/reasoning");
  const providerOptions = { openai: { store: false } };
  assert.equal((await generateText({ model: chat, prompt: "Hi", providerOptions })).text, words);
  const streamed = streamText({ model: chat, prompt: "Hi", providerOptions });
  let text = "";
  for await (const piece of streamed.textStream) text += piece;
  assert.equal(text, words);
  assert.equal((await streamed.usage).outputTokens, 3);
  const cities = [];
  const execute = async ({ city }) => void cities.push(city) ?? "sunny";
  const tools = { weather: tool({ inputSchema: z.object({ city: z.string() }), execute }) };
  const asked = { model: chat, prompt: "Weather?", tools, stopWhen: stepCountIs(3), providerOptions };
  const done = await generateText(asked);
  assert.equal(done.text, "It is sunny.");
  assert.deepEqual(cities, ["Bern"]);
});

test("Python's openai: a response, a stream, tools, errors", async () => {
  const run = promisify(execFile);
  const env = { ...process.env, OPENAI_BASE_URL: url, OPENAI_API_KEY: key };
  const { stdout } = await run(process.env.MANA_PYTHON, ["responses_test.py"], { env });
  assert.equal(stdout.trim(), "ok");
});
