from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from events import inbox, rotation, subjects
        from ledger import checking
        from merchants import accounts, customers, scopes
        from payments import accounts as our_accounts
        from payments import (  # noqa: F401  (the channel registers its reader)
            books,
            channel,
        )
        from payments import subjects as ours
        from payments.callbacks import PaymentCallbacks
        from payments.models import Operation, ReportedReceipt, SavedMethod
        from payments.providers import REGISTRY
        from payments.services import (  # noqa: F401  (charging and order_statuses register their queues)
            charging,
            order_statuses,
            payer_links,
            prompts,
            saved_changing,
            scheduling,
        )

        for subject in ours.SUBJECTS:
            subjects.register(subject)
        for name in REGISTRY:
            inbox.register(name, PaymentCallbacks(REGISTRY[name]))
            accounts.register(name, our_accounts.kind_of(name))
        checking.register(books.disagreements)
        rotation.register(rotation.Hashed("open prompts", prompts.rekey_locks))
        rotation.register(rotation.Kept("operations", Operation.objects.count))
        rotation.register(rotation.Kept("saved methods", SavedMethod.objects.count))
        rotation.register(rotation.Kept("links to payers", payer_links.count))
        customers.on_merge(saved_changing.follow_merge)
        customers.on_erase(saved_changing.follow_erasure)
        rotation.register(rotation.Kept("reported receipts", ReportedReceipt.objects.count))
        customers.on_erase(scheduling.follow_erasure)
        scopes.register(
            {
                "payment_methods:read": "See what can be offered to payers now",
                "payments:read": "See payments",
                "payments:write": "Take, capture and cancel payments",
                "disputes:read": "See disputes",
                "disputes:write": "Answer disputes with evidence, or accept them",
                "refunds:read": "See refunds",
                "refunds:write": "Refund payments",
                "schedules:read": "See schedules and their periods",
                "schedules:write": "Make, change, pause, resume and cancel schedules, which charge saved methods",
                "saved_methods:read": "See saved methods",
                "saved_methods:write": "Save methods, choose the default one, and give them up",
            }
        )
