// A model's server for these tests: it says what it was asked, calls the tool that it is given, and streams.
import { createServer } from "node:http";

const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };

/** The model's turn: a call of the first tool, unless a tool has answered already; else some words. */
function turn(request) {
  const answered = request.messages.some((message) => message.role === "tool");
  const tool = request.tools?.[0]?.function?.name;
  if (tool && !answered) {
    const call = { id: "call_1", type: "function", function: { name: tool, arguments: '{"city":"Bern"}' } };
    return { message: { role: "assistant", content: null, tool_calls: [call] }, finish_reason: "tool_calls" };
  }
  const format = request.response_format?.type;
  const content = format === "json_schema" ? '{"city":"Bern"}' : answered ? "It is sunny." : "Hello there, friend.";
  return { message: { role: "assistant", content }, finish_reason: "stop" };
}

function chunks(request) {
  const { message, finish_reason } = turn(request);
  const base = { id: "c1", object: "chat.completion.chunk", created: 1, model: request.model };
  const deltas = message.tool_calls
    ? [
        {
          role: "assistant",
          tool_calls: [
            {
              index: 0,
              ...message.tool_calls[0],
              function: { name: message.tool_calls[0].function.name, arguments: "" },
            },
          ],
        },
        { tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] },
        { tool_calls: [{ index: 0, function: { arguments: '"Bern"}' } }] },
      ]
    : message.content.split(/(?<= )/).map((content, place) => (place ? { content } : { role: "assistant", content }));
  const pieces = deltas.map((delta) => ({ ...base, choices: [{ index: 0, delta, finish_reason: null }] }));
  pieces.push({ ...base, choices: [{ index: 0, delta: {}, finish_reason }] });
  if (request.stream_options?.include_usage) pieces.push({ ...base, choices: [], usage });
  return pieces;
}

/** Starts it on a free port. */
export async function upstream() {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const json = (status, value) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (request.url === "/v1/models") {
      return json(200, { object: "list", data: [{ id: "m", object: "model", created: 1, owned_by: "us" }] });
    }
    const asked = JSON.parse(body);
    if (request.url === "/v1/embeddings") {
      const data = [{ object: "embedding", index: 0, embedding: [0.5, -0.5] }];
      return json(200, { object: "list", model: "m", data, usage: { prompt_tokens: 2, total_tokens: 2 } });
    }
    if (asked.messages.at(-1).content === "too long") {
      const code = "context_length_exceeded";
      const type = "invalid_request_error";
      return json(400, { error: { message: "too many tokens", type, code, param: "messages" } });
    }
    if (!asked.stream) {
      const choice = { index: 0, ...turn(asked) };
      const { model } = asked;
      return json(200, { id: "c1", object: "chat.completion", created: 1, model, choices: [choice], usage });
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of chunks(asked)) response.write(`data: ${JSON.stringify(piece)}\n\n`);
    response.end("data: [DONE]\n\n");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, close: () => server.close() };
}
