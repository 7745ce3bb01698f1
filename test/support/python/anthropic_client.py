"""Uses the `anthropic` package against a gateway and prints what came of it as JSON; see python.test.ts."""

import anthropic

from seen import broken, gateways, reason, show

at = gateways()


def client(url, **credentials):
    return anthropic.Anthropic(base_url=url, max_retries=0, **(credentials or {"api_key": at["token"]}))


plain = client(at["plain"])
ask = {"model": "tiny", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
weather = {"name": "weather", "input_schema": {"type": "object"}}


def streamed(url):
    with client(url).messages.stream(**ask) as stream:
        yield from stream.text_stream


stream = client(at["endless"]).messages.create(**ask, stream=True)
first = next(event for event in stream if event.type == "content_block_delta").delta.text
stream.close()

answer = plain.messages.create(**ask)
call = plain.messages.create(**ask, tools=[weather]).content[0]
show(
    message=answer.content[0].text,
    stopReason=answer.stop_reason,
    messageStream="".join(streamed(at["plain"])),
    call={"name": call.name, "arguments": call.input},
    bearer=client(at["plain"], auth_token=at["token"]).messages.create(**ask).content[0].text,
    missing=reason(lambda: plain.messages.create(**{**ask, "model": "nope"})),
    denied=reason(lambda: client(at["plain"], api_key="wrong").messages.create(**ask)),
    aborted=first,
    broken=broken(at["broken"], streamed),
)
