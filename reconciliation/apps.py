from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"

    def ready(self) -> None:
        from events import subjects
        from merchants import scopes
        from reconciliation import cases, runs, settling_cases  # noqa: F401  (they register actions, and a queue)
        from reconciliation.models import Run
        from reconciliation.presentation import present_run

        subjects.register_announcer(
            subjects.Announcer(kind="reconciliation", model=Run, present=present_run, facts=frozenset({"completed"}))
        )
        scopes.register({"reconciliation:read": "See reconciliation runs, and what did not agree"})
