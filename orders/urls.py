from django.urls import path

from orders import api

urlpatterns = [
    path("order-sources", api.SourcesView.as_view()),
    path("order-sources/<str:source_id>", api.SourceView.as_view()),
    path("order-sources/<str:source_id>/verify", api.VerifyView.as_view()),
    path("order-sources/<str:source_id>/orders", api.OrdersView.as_view()),
]
