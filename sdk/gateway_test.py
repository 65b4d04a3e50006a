"""Python's `openai` against Mana; the address and the key are in its usual variables. Says `ok` at the end."""

import openai

client = openai.OpenAI()


def ask(text, **more):
    return client.chat.completions.create(
        model="mana/reasoning", messages=[{"role": "user", "content": text}], **more
    )


answer = ask("Hi")
assert answer.choices[0].message.content == "Hello there, friend.", answer
assert answer.usage.total_tokens == 10, answer

text, last = "", None
for last in ask("Hi", stream=True, stream_options={"include_usage": True}):
    text += (last.choices[0].delta.content or "") if last.choices else ""
assert text == "Hello there, friend.", text
assert last.usage.completion_tokens == 3, last

weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
call = ask("Weather?", tools=[weather], tool_choice="auto").choices[0].message.tool_calls[0]
assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Bern"}'), call
arguments = ""
for chunk in ask("Weather?", tools=[weather], stream=True):
    for call in chunk.choices[0].delta.tool_calls or []:
        arguments += call.function.arguments
assert arguments == '{"city":"Bern"}', arguments

embedded = client.embeddings.create(model="default/m", input="x", encoding_format="float")
assert embedded.data[0].embedding == [0.5, -0.5], embedded
assert "mana/reasoning" in [model.id for model in client.models.list()]

try:
    ask("too long")
    raise AssertionError("it was not refused")
except openai.BadRequestError as error:
    assert error.code == "context_length_exceeded", error

print("ok")
