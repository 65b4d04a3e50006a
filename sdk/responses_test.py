"""Python's `openai` against Mana's Responses; the address and the key are in its usual variables. Says `ok` at the end."""

import openai

client = openai.OpenAI()
weather = {"type": "function", "name": "weather", "strict": False, "parameters": {"type": "object", "properties": {}}}


def ask(text, **more):
    return {"model": "mana/reasoning", "input": text, **more}


answer = client.responses.create(**ask("Hi"))
assert answer.output_text == "Hello there, friend.", answer
assert answer.usage.total_tokens == 10, answer

text = ""
with client.responses.stream(**ask("Hi")) as stream:
    for event in stream:
        text += event.delta if event.type == "response.output_text.delta" else ""
    last = stream.get_final_response()
assert text == last.output_text == "Hello there, friend.", text
assert last.usage.output_tokens == 3, last

history = [{"role": "user", "content": "Weather?"}]
with client.responses.stream(**ask(history, tools=[weather])) as stream:
    first = stream.until_done().get_final_response()
call = first.output[-1]
assert (call.type, call.name, call.arguments) == ("function_call", "weather", '{"city":"Bern"}'), call
history += [item.to_dict() for item in first.output]
history += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
assert client.responses.create(**ask(history, tools=[weather])).output_text == "It is sunny."

try:
    client.responses.create(**ask("Hi", previous_response_id="resp_1"))
    raise AssertionError("it was not refused")
except openai.BadRequestError as error:
    assert "whole conversation" in str(error), error

print("ok")
