"""The ASGI application of live events, a process of its own beside the web server (`config/wsgi.py`)."""

import gc
import os
import re
from typing import IO, Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

# Only now: what they import has tables.
from django.core.handlers.asgi import ASGIHandler, ASGIRequest  # noqa: E402

from payments.streams.application import Streams  # noqa: E402
from payments.streams.requests import Message, Receive, Scope, Send  # noqa: E402

_STREAM = re.compile(r"/v1/stores/([^/]+)/stream")


class _Beside(ASGIHandler):
    """Health and metrics of this process, as Django serves them; nothing of the API is here."""

    def create_request(self, scope: Any, body_file: IO[bytes]) -> Any:
        request, refusal = super().create_request(scope, body_file)
        if isinstance(request, ASGIRequest):
            request.urlconf = "config.stream_urls"
        return request, refusal


_beside = _Beside()
_streams = Streams()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _streams.live(receive, send)
    elif stream := _STREAM.fullmatch(scope["path"]):
        await _streams.serve(scope, receive, send, store=stream[1])
    else:
        await _beside(scope, _without_a_body(receive), send)


def _without_a_body(receive: Receive) -> Receive:
    """Nothing here takes one: Django would write whatever anybody sends to the disk, however long."""
    has_begun = False

    async def told() -> Message:
        nonlocal has_begun
        if not has_begun:
            has_begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return told


gc.freeze()
gc.set_threshold(50_000)
