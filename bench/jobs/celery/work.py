"""The Celery side of the job benchmark: the same work as a job of promptd, written as its documentation advises for work that must not be lost.

Tuned for the least processor time: one kept connection to the service per worker, the validator compiled once, no events, no logs of single tasks, JSON.
"""

import json
import os

import urllib3
from celery import Celery
from jsonschema import Draft202012Validator, FormatChecker

app = Celery("work", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_RESULTS"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue=os.environ["BENCH_QUEUE"],
    task_default_delivery_mode="persistent",
    broker_transport_options={"confirm_publish": True},
    worker_prefetch_multiplier=int(os.environ["BENCH_PREFETCH"]),
    worker_send_task_events=False,
    task_send_sent_event=False,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_expires=24 * 3600,
    broker_connection_retry_on_startup=True,
)

schema = json.loads(os.environ["BENCH_SCHEMA"])
validator = Draft202012Validator(schema, format_checker=FormatChecker())
pool = urllib3.PoolManager(maxsize=64)
url = os.environ["BENCH_PROVIDER"] + "/v1/chat/completions"
system = "You turn text into data. Answer with exactly one JSON value of the required form and with nothing else."


@app.task(name="work")
def work(prompt):
    body = {
        "model": "m",
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "result", "strict": True, "schema": schema}},
    }
    answer = pool.request("POST", url, body=json.dumps(body), headers={"Content-Type": "application/json"}, timeout=30)
    if answer.status != 200:
        raise RuntimeError(f"the service answered {answer.status}")
    whole = json.loads(answer.data)
    data = json.loads(whole["choices"][0]["message"]["content"])
    validator.validate(data)
    return {"data": data, "usage": whole.get("usage")}
