"""Uses the `openai` package against a gateway and prints what came of it as JSON; see python.test.ts."""

import openai

from seen import broken, gateways, reason, show

at = gateways()


def client(url, token=at["token"]):
    return openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0)


plain = client(at["plain"])
chat = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def streamed(url):
    for chunk in client(url).chat.completions.create(**chat, stream=True):
        yield chunk.choices[0].delta.content


def texts(url):
    for chunk in client(url).completions.create(model="tiny", prompt="hi", stream=True):
        yield chunk.choices[0].text


def responses(url):
    for event in client(url).responses.create(model="tiny", input="hi", stream=True):
        yield event.delta if event.type == "response.output_text.delta" else ""


stream = client(at["endless"]).chat.completions.create(**chat, stream=True)
first = next(stream).choices[0].delta.content
stream.close()

call = plain.chat.completions.create(**chat, tools=[weather]).choices[0].message.tool_calls[0].function
with plain.responses.stream(model="tiny", input="hi") as running:
    final = running.get_final_response()
show(
    models=sorted(model.id for model in plain.models.list()),
    model=plain.models.retrieve("tiny").id,
    chat=plain.chat.completions.create(**chat).choices[0].message.content,
    chatStream="".join(text or "" for text in streamed(at["plain"])),
    completion=plain.completions.create(model="tiny", prompt="hi").choices[0].text,
    completionStream="".join(texts(at["plain"])),
    response=plain.responses.create(model="tiny", input="hi").output_text,
    responseStream="".join(responses(at["plain"])),
    responseFinal=final.output_text,
    embeddings=[len(one.embedding) for one in plain.embeddings.create(model="embed", input=["a", "b"]).data],
    call={"name": call.name, "arguments": call.arguments},
    missing=reason(lambda: plain.chat.completions.create(**{**chat, "model": "nope"})),
    missingModel=reason(lambda: plain.models.retrieve("nope")),
    denied=reason(lambda: client(at["plain"], "wrong").models.list()),
    aborted=first,
    broken=broken(at["broken"], streamed),
    brokenTexts=broken(at["broken"], texts),
    brokenResponses=broken(at["broken"], responses),
)
