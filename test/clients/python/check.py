"""Runs the checks of a script and says of each how it ended, one JSON line each."""

import json
import sys
import traceback

_checks = []


def check(f):
    """Adds a function to the checks."""
    _checks.append(f)
    return f


def run():
    failed = False
    for f in _checks:
        line = {"check": f.__name__}
        try:
            f()
        except Exception:  # noqa: BLE001 - whatever it is, the test shows it.
            failed = True
            line["error"] = traceback.format_exc(limit=-6)
        print(json.dumps(line), flush=True)
    sys.exit(1 if failed else 0)
