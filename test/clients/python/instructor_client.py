"""Instructor in its modes: a forced tool by default, JSON, JSON Schema, and the streams of each."""

import instructor
import openai
from pydantic import BaseModel, Field

from check import check, run

messages = [{"role": "user", "content": "Two coffees and a croissant, please."}]


class Item(BaseModel):
    """One thing that was ordered."""

    name: str = Field(min_length=1)
    count: int = Field(ge=1)


class Order(BaseModel):
    items: list[Item]
    table: int | None = None


def client(mode):
    return instructor.from_openai(openai.OpenAI(max_retries=0), mode=mode)


@check
def tools():
    got = client(instructor.Mode.TOOLS).chat.completions.create(model="flaky/scripted", response_model=Order, messages=messages, extra_body={"promptd": {"max_attempts": 10}})
    assert isinstance(got, Order), got


@check
def json():
    got = client(instructor.Mode.JSON).chat.completions.create(model="scripted/scripted", response_model=Item, messages=messages, extra_body={"promptd": {"max_attempts": 10}}, max_retries=3)
    assert isinstance(got, Item), got


@check
def json_schema():
    got = client(instructor.Mode.JSON_SCHEMA).chat.completions.create(model="flaky/scripted", response_model=Order, messages=messages, extra_body={"promptd": {"max_attempts": 10}})
    assert isinstance(got, Order), got


@check
def partial():
    last = None
    for last in client(instructor.Mode.TOOLS).chat.completions.create_partial(model="scripted/scripted", response_model=Order, messages=messages):
        pass
    assert last is not None and last.items is not None, last


@check
def iterable():
    got = list(client(instructor.Mode.TOOLS).chat.completions.create_iterable(model="order/scripted", response_model=Item, messages=messages))
    assert [item.name for item in got] == ["coffee", "croissant"], got


run()
