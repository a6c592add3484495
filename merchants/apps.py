from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    name = "merchants"

    def ready(self) -> None:
        from merchants import openapi, scopes, webhooks  # noqa: F401  (webhooks and openapi register themselves)

        scopes.register(
            {
                "webhook_endpoints:read": "See webhook endpoints",
                "webhook_endpoints:write": "Create, change and disable webhook endpoints",
                "events:read": "Read events",
                "balance:read": "See balances and what made them",
            }
        )
