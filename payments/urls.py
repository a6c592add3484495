from django.urls import path

from payments import api, api_disputes, api_methods, api_receipts, api_registrations, api_saved_methods, api_schedules

urlpatterns = [
    path("payments", api.PaymentsView.as_view()),
    path("payments/<str:payment_id>", api.PaymentView.as_view()),
    path("payments/<str:payment_id>/capture", api.CaptureView.as_view()),
    path("payments/<str:payment_id>/cancel", api.CancelView.as_view()),
    path("payments/<str:payment_id>/refunds", api.RefundsView.as_view()),
    path("refunds/<str:refund_id>", api.RefundView.as_view()),
    path("disputes", api_disputes.DisputesView.as_view()),
    path("disputes/<str:dispute_id>", api_disputes.DisputeView.as_view()),
    path("disputes/<str:dispute_id>/evidence", api_disputes.EvidenceView.as_view()),
    path("disputes/<str:dispute_id>/accept", api_disputes.AcceptView.as_view()),
    path("payment-methods", api_methods.PaymentMethodsView.as_view()),
    path("saved-methods", api_saved_methods.SavedMethodsView.as_view()),
    path("saved-methods/<str:saved_method_id>", api_saved_methods.SavedMethodView.as_view()),
    path("saved-methods/<str:saved_method_id>/default", api_saved_methods.DefaultView.as_view()),
    path("saved-methods/<str:saved_method_id>/detach", api_saved_methods.DetachView.as_view()),
    path("unallocated-receipts", api_receipts.UnallocatedReceiptsView.as_view()),
    path("unallocated-receipts/<str:receipt_id>", api_receipts.UnallocatedReceiptView.as_view()),
    path("unallocated-receipts/<str:receipt_id>/assign", api_receipts.AssignView.as_view()),
    path("provider-accounts/<str:account_id>/register-callbacks", api_registrations.RegisterView.as_view()),
    path("provider-accounts/<str:account_id>/registrations", api_registrations.RegistrationsView.as_view()),
    path(
        "provider-accounts/<str:account_id>/registrations/<str:registration_id>",
        api_registrations.RegistrationView.as_view(),
    ),
    path("schedules", api_schedules.SchedulesView.as_view()),
    path("schedules/<str:schedule_id>", api_schedules.ScheduleView.as_view()),
    path("schedules/<str:schedule_id>/pause", api_schedules.PauseView.as_view()),
    path("schedules/<str:schedule_id>/resume", api_schedules.ResumeView.as_view()),
    path("schedules/<str:schedule_id>/cancel", api_schedules.CancelScheduleView.as_view()),
    path("schedules/<str:schedule_id>/periods", api_schedules.PeriodsView.as_view()),
    path("schedules/<str:schedule_id>/periods/<int:number>/amount", api_schedules.PeriodAmountView.as_view()),
    path("schedules/<str:schedule_id>/periods/<int:number>/skip", api_schedules.SkipPeriodView.as_view()),
    path("test/payments/<str:payment_id>/simulate", api.SimulateView.as_view()),
]
