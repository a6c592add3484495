from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from events import inbox, subjects
        from merchants import scopes
        from payments import subjects as ours
        from payments.callbacks import PaymentCallbacks
        from payments.providers import REGISTRY

        for subject in ours.SUBJECTS:
            subjects.register(subject)
        for name in REGISTRY:
            inbox.register(name, PaymentCallbacks(REGISTRY[name]))
        scopes.register(
            {
                "payments:read": "See payments",
                "payments:write": "Take, capture and cancel payments",
                "refunds:read": "See refunds",
                "refunds:write": "Refund payments",
            }
        )
