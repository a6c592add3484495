from django.urls import path

from merchants import (
    api,
    api_accounts,
    api_balance,
    api_customers,
    api_deliveries,
    api_keys,
    api_request_logs,
    api_transactions,
    api_webhooks,
)

_ENDPOINT = "webhook-endpoints/<str:endpoint_id>"

urlpatterns = [
    path("webhook-endpoints", api_webhooks.EndpointsView.as_view()),
    path(_ENDPOINT, api_webhooks.EndpointView.as_view()),
    path(f"{_ENDPOINT}/rotate-secret", api_webhooks.RotateSecretView.as_view()),
    path(f"{_ENDPOINT}/ping", api_webhooks.PingView.as_view()),
    path(f"{_ENDPOINT}/deliveries", api_deliveries.DeliveriesView.as_view()),
    path(f"{_ENDPOINT}/deliveries/<str:delivery_id>", api_deliveries.DeliveryView.as_view()),
    path(f"{_ENDPOINT}/replay", api_deliveries.ReplayView.as_view()),
    path(f"{_ENDPOINT}/replays/<str:replay_id>", api_deliveries.ReplayProgressView.as_view()),
    path("api-keys", api_keys.KeysView.as_view()),
    path("api-keys/<str:key_id>", api_keys.KeyView.as_view()),
    path("api-keys/<str:key_id>/rotate", api_keys.RotateView.as_view()),
    path("api-keys/<str:key_id>/revoke", api_keys.RevokeView.as_view()),
    path("provider-accounts", api_accounts.AccountsView.as_view()),
    path("provider-accounts/<str:account_id>", api_accounts.AccountView.as_view()),
    path("provider-accounts/<str:account_id>/credentials", api_accounts.CredentialsView.as_view()),
    path("provider-accounts/<str:account_id>/callback-urls", api_accounts.CallbackUrlsView.as_view()),
    path("provider-accounts/<str:account_id>/test", api_accounts.CheckView.as_view()),
    path("provider-accounts/<str:account_id>/disable", api_accounts.DisableView.as_view()),
    path("balance", api_balance.BalanceView.as_view()),
    path("balance-transactions", api_balance.BalanceTransactionsView.as_view()),
    path("customers", api_customers.CustomersView.as_view()),
    path("customers/<str:customer_id>", api_customers.CustomerView.as_view()),
    path("customers/<str:customer_id>/merge", api_customers.MergeView.as_view()),
    path("transactions", api_transactions.TransactionsView.as_view()),
    path("request-logs", api_request_logs.RequestLogsView.as_view()),
    path("events", api.EventsView.as_view()),
    path("events/<str:event_id>", api.EventView.as_view()),
]
