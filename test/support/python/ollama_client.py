"""Uses the `ollama` package against a gateway and prints what came of it as JSON; see python.test.ts."""

import ollama

from seen import broken, gateways, reason, show

at = gateways()


def client(url, token=at["token"]):
    return ollama.Client(host=url, headers={"Authorization": f"Bearer {token}"})


plain = client(at["plain"])
messages = [{"role": "user", "content": "hi"}]
weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def streamed(url):
    for part in client(url).chat(model="tiny", messages=messages, stream=True):
        yield part.message.content


endless = streamed(at["endless"])
first = next(endless)
endless.close()

call = plain.chat(model="tiny", messages=messages, tools=[weather]).message.tool_calls[0].function
digest = plain.create_blob(__file__)
show(
    models=sorted(model.model for model in plain.list().models),
    capabilities=plain.show("tiny").capabilities,
    ps=len(plain.ps().models),
    chat=plain.chat(model="tiny", messages=messages).message.content,
    chatStream="".join(streamed(at["plain"])),
    generate=plain.generate(model="tiny", prompt="hi").response,
    generateStream="".join(p.response for p in plain.generate(model="tiny", prompt="hi", stream=True)),
    embed=[len(one) for one in plain.embed(model="embed", input=["a", "b"]).embeddings],
    embeddings=len(plain.embeddings(model="embed", prompt="a").embedding),
    call={"name": call.name, "arguments": dict(call.arguments)},
    pull=[part.status for part in plain.pull("fresh", stream=True)][-1],
    create=plain.create(model="made", files={"m.gguf": digest}).status,
    copy=plain.copy("tiny", "mine").status,
    push=plain.push("tiny").status,
    delete=plain.delete("embed").status,
    missing=reason(lambda: plain.chat(model="nope", messages=messages)),
    denied=reason(lambda: client(at["plain"], "wrong").list()),
    pathKey=len(ollama.Client(host=f"{at['plain']}/t/{at['token']}").list().models) > 0,
    aborted=first,
    broken=broken(at["broken"], streamed),
)
