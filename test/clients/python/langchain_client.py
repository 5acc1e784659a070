"""LangChain's chat model for OpenAI."""

from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

from check import check, run


class Person(BaseModel):
    """A person."""

    name: str = Field(min_length=1)
    age: int = Field(ge=0)


def model(name="scripted/scripted", **more):
    return ChatOpenAI(model=name, max_retries=0, **more)


@check
def invoke():
    got = model().invoke([("system", "You are terse."), ("human", "Say hello.")])
    assert got.content and got.usage_metadata["total_tokens"] > 0, got


@check
def stream():
    assert "".join(piece.content for piece in model().stream("Say hello."))


@check
def bound_tools():
    got = model().bind_tools([{"type": "function", "function": {"name": "result", "parameters": Person.model_json_schema()}}]).invoke("Ada is 36.")
    assert got.tool_calls[0]["name"] == "result", got


@check
def structured_by_schema():
    got = model("flaky/scripted", extra_body={"promptd": {"max_attempts": 10}}).with_structured_output(Person, method="json_schema").invoke("Ada is 36.")
    assert isinstance(got, Person), got


@check
def structured_by_function():
    got = model("flaky/scripted", extra_body={"promptd": {"max_attempts": 10}}).with_structured_output(Person, method="function_calling").invoke("Ada is 36.")
    assert isinstance(got, Person), got


@check
def structured_stream():
    got = list(model().with_structured_output(Person).stream("Ada is 36."))
    assert isinstance(got[-1], Person), got


@check
def by_responses():
    got = model(use_responses_api=True).with_structured_output(Person).invoke("Ada is 36.")
    assert isinstance(got, Person), got


run()
