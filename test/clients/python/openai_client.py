"""The official Python client. OPENAI_BASE_URL and OPENAI_API_KEY are all that it is told."""

import asyncio
import json
import os

import openai
from pydantic import BaseModel, Field

from check import check, run

client = openai.OpenAI(max_retries=0)
hello = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "Say hello."}]


class Line(BaseModel):
    text: str
    amount: float = Field(ge=0)


class Invoice(BaseModel):
    number: str = Field(pattern=r"^INV-[0-9]{3}$")
    lines: list[Line] = Field(min_length=1)
    paid: bool | None = None


@check
def models():
    ids = [m.id for m in client.models.list()]
    assert "scripted/scripted" in ids, ids
    assert client.models.list().data[0].object == "model"


@check
def chat():
    got = client.chat.completions.create(model="auto", messages=hello)
    assert got.choices[0].message.content and got.choices[0].finish_reason == "stop", got
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens, got


@check
def chat_stream():
    pieces = list(client.chat.completions.create(model="scripted/scripted", messages=hello, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in pieces if c.choices), pieces
    assert pieces[-1].usage.total_tokens > 0, pieces[-1]


@check
def raw_headers():
    got = client.chat.completions.with_raw_response.create(model="scripted/scripted", messages=hello)
    assert got.headers["x-promptd-provider"] == "scripted" and got.headers["x-request-id"], got.headers


@check
def tools_pass_through():
    tool = {"type": "function", "function": {"name": "result", "parameters": Line.model_json_schema()}}
    other = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}
    got = client.chat.completions.create(model="scripted/scripted", messages=hello, tools=[tool, other], tool_choice="auto", n=1, logprobs=True, top_logprobs=1)
    call = got.choices[0].message.tool_calls[0]
    assert call.function.name == "result" and "text" in json.loads(call.function.arguments), got


@check
def parse():
    got = client.chat.completions.parse(model="flaky/scripted", messages=hello, response_format=Invoice, extra_body={"promptd": {"max_attempts": 10}})
    assert isinstance(got.choices[0].message.parsed, Invoice), got
    assert got.model_extra["promptd"]["validation_status"] == "passed", got


@check
def richer_schema_than_openai_takes():
    schema = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2}
    got = client.chat.completions.create(
        model="scripted/scripted", messages=hello, response_format={"type": "json_schema", "json_schema": {"name": "pair", "schema": schema, "strict": False}}
    )
    text, count = json.loads(got.choices[0].message.content)
    assert isinstance(text, str) and isinstance(count, int), got


@check
def json_object():
    got = client.chat.completions.create(model="scripted/scripted", messages=hello, response_format={"type": "json_object"})
    assert isinstance(json.loads(got.choices[0].message.content), dict), got


@check
def parse_stream():
    with client.chat.completions.stream(model="scripted/scripted", messages=hello, response_format=Invoice) as stream:
        for _ in stream:
            pass
        got = stream.get_final_completion()
    assert isinstance(got.choices[0].message.parsed, Invoice), got


@check
def forced_tool():
    tool = openai.pydantic_function_tool(Invoice)
    got = client.chat.completions.parse(model="flaky/scripted", messages=hello, tools=[tool], tool_choice="required", extra_body={"promptd": {"max_attempts": 10}})
    assert isinstance(got.choices[0].message.tool_calls[0].function.parsed_arguments, Invoice), got


@check
def responses():
    got = client.responses.create(model="scripted/scripted", instructions="You are terse.", input="Say hello.")
    assert got.output_text and got.status == "completed", got


@check
def responses_stream():
    events = list(client.responses.create(model="scripted/scripted", input="Say hello.", stream=True))
    assert events[0].type == "response.created" and events[-1].type == "response.completed", [e.type for e in events]
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == events[-1].response.output_text


@check
def responses_parse():
    got = client.responses.parse(model="flaky/scripted", input="Say hello.", text_format=Invoice, extra_body={"promptd": {"max_attempts": 10}})
    assert isinstance(got.output_parsed, Invoice), got


@check
def responses_parse_stream():
    with client.responses.stream(model="scripted/scripted", input="Say hello again.", text_format=Invoice) as stream:
        for _ in stream:
            pass
        got = stream.get_final_response()
    assert isinstance(got.output_parsed, Invoice), got


@check
def responses_forced_function():
    tool = {"type": "function", "name": "invoice", "parameters": Invoice.model_json_schema(), "strict": False}
    got = client.responses.create(model="scripted/scripted", input="Say hello.", tools=[tool], tool_choice={"type": "function", "name": "invoice"})
    assert got.output[0].type == "function_call", got
    Invoice.model_validate_json(got.output[0].arguments)


@check
def error_of_a_key():
    try:
        openai.OpenAI(api_key="pd_live_wrong", max_retries=0).models.list()
    except openai.AuthenticationError:
        pass
    else:
        raise AssertionError("a wrong key was taken")
    try:
        openai.OpenAI(api_key="pd_live_wrong", max_retries=0).chat.completions.create(model="scripted/scripted", messages=hello)
    except openai.AuthenticationError as e:
        assert e.code == "invalid_api_key", e.body
    else:
        raise AssertionError("a wrong key was taken")


@check
def error_of_a_model():
    try:
        client.chat.completions.create(model="nobody's", messages=hello)
    except openai.NotFoundError as e:
        assert e.code == "model_not_found" and e.param == "model", e.body
    else:
        raise AssertionError("there is no such model")


@check
def error_of_a_parameter():
    try:
        client.chat.completions.create(model="scripted/scripted", messages=hello, response_format={"type": "json_object"}, top_p=0.5)
    except openai.BadRequestError as e:
        assert e.code == "unsupported_parameter" and e.param == "top_p", e.body
    else:
        raise AssertionError("top_p was taken")


@check
def error_of_an_answer():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    try:
        client.chat.completions.create(
            model="wrong/scripted", messages=hello, response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}, extra_body={"promptd": {"max_attempts": 2}}
        )
    except openai.UnprocessableEntityError as e:
        assert e.code == "validation_failed" and e.body["promptd"]["validation"]["errors"], e.body
    else:
        raise AssertionError("an invalid answer was given")


@check
def error_of_a_limit():
    limited = openai.OpenAI(api_key=os.environ["LIMITED_API_KEY"], max_retries=0)
    try:
        for _ in range(5):
            limited.chat.completions.create(model="scripted/scripted", messages=hello)
    except openai.RateLimitError as e:
        assert e.code == "rate_limit_exceeded" and e.response.headers["retry-after"], e.body
    else:
        raise AssertionError("the limit does not hold")


@check
def asynchronous():
    async def both():
        async with openai.AsyncOpenAI(max_retries=0) as c:
            whole, streamed = await asyncio.gather(
                c.chat.completions.parse(model="scripted/scripted", messages=hello, response_format=Line),
                c.chat.completions.create(model="scripted/scripted", messages=hello, stream=True),
            )
            assert isinstance(whole.choices[0].message.parsed, Line), whole
            assert [piece async for piece in streamed]

    asyncio.run(both())


run()
