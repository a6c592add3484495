"""Every path of the process that serves live events, beside the streams themselves."""

from django.urls import path

from config import health, metrics_page

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics_page.show),
]
