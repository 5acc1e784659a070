"""Submits so many prompts, one by one, waits until all their results are kept, and looks at each. Prints JSON: seconds until the last was submitted, and until the last was kept."""

import json
import sys
import time

import redis

from work import app, work

count, first = int(sys.argv[1]), int(sys.argv[2])
kept = redis.from_url(app.conf.result_backend)
before = kept.dbsize()
begun = time.monotonic()
sent = [work.delay(sys.argv[3].replace("0000000000", f"{first + i:010d}")) for i in range(count)]
submitted = time.monotonic() - begun
while kept.dbsize() < before + count:
    if time.monotonic() - begun > 600:
        sys.exit(f"{kept.dbsize() - before} of {count} results were kept within ten minutes")
    time.sleep(0.1)
done = time.monotonic() - begun
print(json.dumps({"submitted": submitted, "done": done}), flush=True)
sys.stdin.readline()  # The measurement ends here: what follows is not counted.
for s in sent:
    r = json.loads(kept.get("celery-task-meta-" + s.id))
    if r["status"] != "SUCCESS" or "order" not in r["result"]["data"]:
        sys.exit(f"a task ended otherwise: {r}")
kept.delete(*["celery-task-meta-" + s.id for s in sent])
