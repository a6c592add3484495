"""Loaded by Schemathesis, which test_fuzzing.py starts."""

import uuid

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(context, case, kwargs):
    """The document's example of a key would make every request after the first a reuse of it."""
    if str((case.headers or {}).get(KEY, "")).startswith(("order-1042", "a-key-of")):
        case.headers[KEY] = uuid.uuid4().hex
