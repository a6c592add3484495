"""What the web server says where a stream is asked of it: live events come from a process of their own."""

from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import NotFound
from merchants.views import ApiView


class StreamView(ApiView):
    """`/v1/stores/{id}/stream`, asked of the wrong process: a display token is no key, so nobody is asked for one."""

    schema = None
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, store_id: str) -> Response:
        raise NotFound(
            "This process serves no live events. Whoever runs this installation leads /v1/stores/*/stream to the "
            "process that does: see docs/operations.md."
        )
