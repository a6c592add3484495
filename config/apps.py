from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project itself, so that every process that sets Django up knows our Celery application."""

    name = "config"

    def ready(self) -> None:
        from config import celery, metrics  # noqa: F401  (importing makes it the current application)
        from core import measuring

        measuring.register(metrics.Counted())
