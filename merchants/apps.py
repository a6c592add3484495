from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    name = "merchants"

    def ready(self) -> None:
        from events import subjects
        from merchants import openapi, scopes, webhooks  # noqa: F401  (webhooks and openapi register themselves)
        from merchants import subjects as ours

        for subject in ours.SUBJECTS:
            subjects.register(subject)
        scopes.register(
            {
                "webhook_endpoints:read": "See webhook endpoints",
                "webhook_endpoints:write": "Create, change and disable webhook endpoints",
                "customers:read": "See customers, with their contact data",
                "customers:write": "Create, change, merge and erase customers",
                "events:read": "Read events",
                "transactions:read": "See the history of payments, refunds and other movements of money",
                "request_logs:read": "See the log of API requests",
                "balance:read": "See balances and what made them",
            }
        )
