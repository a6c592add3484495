from django.urls import path

from payments import api

urlpatterns = [
    path("payments", api.PaymentsView.as_view()),
    path("payments/<str:payment_id>", api.PaymentView.as_view()),
    path("payments/<str:payment_id>/capture", api.CaptureView.as_view()),
    path("payments/<str:payment_id>/cancel", api.CancelView.as_view()),
    path("payments/<str:payment_id>/refunds", api.RefundsView.as_view()),
    path("refunds/<str:refund_id>", api.RefundView.as_view()),
    path("test/payments/<str:payment_id>/simulate", api.SimulateView.as_view()),
]
