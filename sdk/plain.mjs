// What every gateway between npm `openai` and the model of `upstream.mjs` has to bring through unchanged.
import assert from "node:assert/strict";

export const words = "Hello there, friend.";

export const ask = (content) => ({ model: "mana/reasoning", messages: [{ role: "user", content }] });

/** An answer, with the one who gave it. */
export async function answer(openai) {
  const { data, response } = await openai.chat.completions.create(ask("Hi")).withResponse();
  assert.equal(data.choices[0].message.content, words);
  assert.equal(data.usage.total_tokens, 10);
  assert.equal(response.headers.get("x-mana-llm-resolved"), "default/m");
}

/** A stream, with its usage in the last chunk. */
export async function stream(openai) {
  const chunks = await openai.chat.completions.create({
    ...ask("Hi"),
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "", last;
  for await (const chunk of chunks) {
    text += chunk.choices[0]?.delta?.content ?? "";
    last = chunk;
  }
  assert.equal(text, words);
  assert.equal(last.usage.completion_tokens, 3);
}

/** A tool, called and answered; the whole conversation streamed or not. */
export async function tools(openai, stream) {
  const weather = { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } };
  const runner = openai.chat.completions.runTools({
    ...ask("Weather?"),
    stream,
    tools: [
      { type: "function", function: { ...weather, function: ({ city }) => `sunny in ${city}`, parse: JSON.parse } },
    ],
  });
  assert.equal(await runner.finalContent(), "It is sunny.");
  assert.equal(await runner.finalFunctionToolCallResult(), "sunny in Bern");
}
