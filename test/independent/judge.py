"""Judge promptd's passed answers by another validator.

Reads lines of {"id", "schema", "data"} and writes a line {"id", "errors": […]} for each answer that python-jsonschema, with formats, does not accept.
Schemas that it cannot judge (a reference that it may not follow, a pattern that Python does not know) are written as {"id", "skipped": "why"}.
The last line is {"judged": N, "skipped": N, "rejected": N}.
"""

import json
import sys

import jsonschema
from referencing.exceptions import Unresolvable

sys.setrecursionlimit(20000)
judged = skipped = rejected = 0
for line in sys.stdin:
    case = json.loads(line)
    try:
        kind = jsonschema.validators.validator_for(case["schema"], default=jsonschema.Draft202012Validator)
        checker = kind(case["schema"], format_checker=kind.FORMAT_CHECKER)
        errors = [f"{e.json_path}: {e.message[:200]} ({e.validator})" for e in list(checker.iter_errors(case["data"]))[:3]]
    except Unresolvable as e:
        skipped += 1
        print(json.dumps({"id": case["id"], "skipped": f"reference: {e}"[:200]}))
        continue
    except Exception as e:  # A validator's own fault says nothing about the answer; it is counted and shown.
        skipped += 1
        print(json.dumps({"id": case["id"], "skipped": f"{type(e).__name__}: {e}"[:200]}))
        continue
    judged += 1
    if errors:
        rejected += 1
        print(json.dumps({"id": case["id"], "errors": errors}))
print(json.dumps({"judged": judged, "skipped": skipped, "rejected": rejected}))
