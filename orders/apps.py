from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from merchants import scopes

        scopes.register(
            {
                "order_sources:read": "See order sources, and how orders stand there",
                "order_sources:write": "Register, change and verify order sources",
            }
        )
