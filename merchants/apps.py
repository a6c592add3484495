from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    name = "merchants"

    def ready(self) -> None:
        from events import rotation, subjects
        from merchants import customers, doors, openapi, scopes, webhooks  # noqa: F401  (webhooks and openapi register themselves)
        from merchants import subjects as ours
        from merchants.models import ApiKey

        rotation.register(rotation.Hashed("callback paths", doors.rekey_tokens))
        rotation.register(rotation.Hashed("customers' fingerprints", customers.renew_fingerprints))
        rotation.register(rotation.Kept("API keys", ApiKey.objects.count))

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
