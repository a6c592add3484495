from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    name = "merchants"

    def ready(self) -> None:
        from events import rotation, subjects
        from merchants import (  # noqa: F401  (they register themselves)
            customers,
            display_access,
            display_tokens,
            doors,
            expiry,
            openapi,
            provider_apps,
            replays,
            scopes,
            subscribers,
            switches,
            webhook_health,
        )
        from merchants import subjects as ours
        from merchants.models import ApiKey, WebhookEndpoint

        subjects.register_announcer(
            subjects.Announcer(
                kind="webhook_endpoint",
                model=WebhookEndpoint,
                present=webhook_health.snapshot,
                facts=webhook_health.FACTS,
            )
        )
        subscribers.follow_all()

        rotation.register(rotation.Hashed("callback paths", doors.rekey_tokens))
        rotation.register(rotation.Hashed("customers' fingerprints", customers.renew_fingerprints))
        rotation.register(rotation.Hashed("apps of provider accounts", provider_apps.renew_fingerprints))
        rotation.register(rotation.Kept("API keys", ApiKey.objects.count))

        for subject in ours.SUBJECTS:
            subjects.register(subject)
        subjects.register_announcer(
            subjects.Announcer("api_key", ApiKey, present=expiry.snapshot, facts=frozenset({"expiring"}))
        )
        scopes.register(
            {
                "webhook_endpoints:read": "See webhook endpoints",
                "webhook_endpoints:write": "Create, change and disable webhook endpoints; send events again",
                "customers:read": "See customers, with their contact data",
                "customers:write": "Create, change, merge and erase customers",
                "events:read": "Read events",
                "transactions:read": "See the history of payments, refunds and other movements of money",
                "request_logs:read": "See the log of API requests",
                "balance:read": "See balances and what made them",
                "api_keys:read": "See API keys, never the keys themselves",
                "api_keys:write": "Create, rotate and revoke API keys, within what the key itself has",
                "stores:read": "See stores and their display tokens, never the tokens themselves",
                "stores:write": "Create and change stores; make, rotate and revoke their display tokens",
                "provider_accounts:read": "See provider accounts, never their credentials",
                "provider_accounts:write": "Create, change, test and disable provider accounts",
            }
        )
