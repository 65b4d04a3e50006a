"""Python's `anthropic` against Mana; the address and the key are in its usual variables. Says `ok` at the end."""

import anthropic

client = anthropic.Anthropic()
weather = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def ask(text, **more):
    return {"model": "mana/reasoning", "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}


answer = client.messages.create(**ask("Hi"))
assert answer.content[0].text == "Hello there, friend.", answer
assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 3), answer

with client.messages.stream(**ask("Hi")) as stream:
    text = "".join(stream.text_stream)
    last = stream.get_final_message()
assert text == last.content[0].text == "Hello there, friend.", text
assert last.usage.output_tokens == 3, last

with client.messages.stream(**ask("Weather?", tools=[weather])) as stream:
    first = stream.get_final_message()
call = first.content[-1]
assert (call.type, call.name, call.input) == ("tool_use", "weather", {"city": "Bern"}), call
assert first.stop_reason == "tool_use", first
request = ask("Weather?", tools=[weather])
result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "sunny"}]}
request["messages"] += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
assert client.messages.create(**request).content[0].text == "It is sunny."

counted = client.messages.count_tokens(model="mana/reasoning", messages=ask("Hi")["messages"])
assert counted.input_tokens > 0, counted
assert "mana/reasoning" in [model.id for model in client.models.list()]

try:
    client.messages.create(**ask("too long"))
    raise AssertionError("it was not refused")
except anthropic.BadRequestError as error:
    assert "too many tokens" in str(error), error

print("ok")
