"""The project's web application with one more path, which asks nobody who they are: the yardstick of `auth`.

`/unguarded/events` does what `/v1/events` does, by the same view, without key, limit or audit.
"""

from typing import ClassVar

from django.urls import path

from config.wsgi import application
from merchants.api import EventsView
from merchants.authentication import Caller
from merchants.models import ApiKey

__all__ = ["application"]


class Unguarded(EventsView):
    authentication_classes = ()
    permission_classes = ()
    schema = None
    caller: ClassVar = Caller(ApiKey.objects.select_related("merchant").latest("pk"), "127.0.0.1")


def _open() -> None:
    from config import urls

    urls.urlpatterns.insert(0, path("unguarded/events", Unguarded.as_view()))


_open()
