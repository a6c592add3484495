"""Every path of the project."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from config import health, metrics_page, reference
from merchants import doors
from merchants.views import NoSuchPath
from payments import displays
from payments.pages import authenticate, come_back


class Anything(StringConverter):
    """What Django's own `path` leaves out, too: line ends."""

    regex = r"[\s\S]+"


register_converter(Anything, "anything")

urlpatterns = [
    path("v1/openapi.json", reference.document),
    path("v1/", include("merchants.urls")),
    path("v1/", include("orders.urls")),
    path("v1/", include("payments.urls")),
    path("v1/", include("reconciliation.urls")),
    path("v1/<anything:rest>", NoSuchPath.as_view()),
    path("callbacks/<str:token>/<str:door>", doors.callback),
    path("callbacks/<str:token>/<str:door>/<str:operation>", doors.callback),
    path("return/<str:token>", come_back),
    path("authenticate/<str:token>", authenticate),
    path("display/<str:store_id>", displays.cashier),
    path("display/<str:store_id>/kitchen", displays.kitchen),
    path("docs", reference.page),
    path("docs/collection.json", reference.requests),
    path("docs/errors", reference.errors),
    path("docs/errors/<str:code>", reference.error),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics_page.show),
    path("admin/", admin.site.urls),
]

if settings.DEMO_CREDENTIALS:
    urlpatterns.append(path("demo/", include("config.demo_page")))
