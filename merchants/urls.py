from django.urls import path

from merchants import api, api_balance, api_customers, api_request_logs, api_transactions

urlpatterns = [
    path("webhook-endpoints", api.EndpointsView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>", api.EndpointView.as_view()),
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
