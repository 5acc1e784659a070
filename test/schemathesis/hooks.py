"""What the OpenAPI document can't say of a request, and what would end the run early.

- The schema field of POST /v1/analyze has to be a valid JSON Schema itself. What was generated for it becomes the value of an annotation, where any JSON is
  allowed.
- Generated idempotency keys come again with other bodies, which is a 409 before anything is looked at. Each request gets a key of its own,
  but for those that are about a header.
- A key that rotates or revokes itself is refused from then on. The key of the run is left alone.

Everything else is sent as it was generated.
"""

import os
import uuid

import schemathesis

OWN_KEY = os.environ.get("SCHEMATHESIS_OWN_KEY", "")


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if case.operation.label == "POST /v1/analyze" and isinstance(body, dict) and isinstance(body.get("schema"), dict):
        case.body = {**body, "schema": {"default": body["schema"]}}
    about = getattr(case.meta.phase.data, "parameter_location", None) if case.meta else None
    header = about is not None and about.value == "header"
    name = None if header else next((n for n in case.headers or {} if n.lower() == "idempotency-key"), None)
    value = case.headers[name] if name else None
    if isinstance(value, str) and value.isascii() and value.isprintable() and value and " " not in value and len(value) < 256:
        case.headers[name] = str(uuid.uuid4())
    if OWN_KEY and (case.path_parameters or {}).get("id") == OWN_KEY:
        case.path_parameters["id"] = "key_" + uuid.uuid4().hex
