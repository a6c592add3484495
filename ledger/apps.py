from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"

    def ready(self) -> None:
        from events import timeline, work
        from ledger import balances, history

        work.register(work.Drain("balances", balances.sum_up_some))
        timeline.register(history.postings)
