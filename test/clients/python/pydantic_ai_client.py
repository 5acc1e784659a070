"""pydantic-ai: an output type as a forced tool and as a native schema, text, streams, tools, and the responses API."""

import asyncio

from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

from check import check, run


class Person(BaseModel):
    name: str = Field(min_length=1)
    age: int = Field(ge=0)


@check
def text():
    assert Agent(OpenAIChatModel("scripted/scripted")).run_sync("Say hello.").output


@check
def output_tool():
    got = Agent(OpenAIChatModel("scripted/scripted"), output_type=Person).run_sync("Ada is 36.")
    assert isinstance(got.output, Person), got


@check
def output_tool_of_a_faulty_service():
    got = Agent(OpenAIChatModel("flaky/scripted"), output_type=Person, model_settings={"extra_body": {"promptd": {"max_attempts": 10}}}).run_sync("Ada is 36.")
    assert isinstance(got.output, Person), got


@check
def native_output():
    got = Agent(OpenAIChatModel("scripted/scripted"), output_type=NativeOutput(Person)).run_sync("Ada is 36.")
    assert isinstance(got.output, Person), got


@check
def streamed_output():
    async def stream():
        async with Agent(OpenAIChatModel("scripted/scripted"), output_type=Person).run_stream("Ada is 36.") as result:
            return [piece async for piece in result.stream_output()]

    got = asyncio.run(stream())
    assert isinstance(got[-1], Person), got


@check
def responses_output():
    got = Agent(OpenAIResponsesModel("scripted/scripted"), output_type=NativeOutput(Person)).run_sync("Ada is 36.")
    assert isinstance(got.output, Person), got


run()
