from django.urls import path

from reconciliation import api

urlpatterns = [
    path("reconciliation/runs", api.RunsView.as_view()),
    path("reconciliation/runs/<str:run_id>", api.RunView.as_view()),
    path("reconciliation/exceptions", api.ExceptionsView.as_view()),
    path("reconciliation/exceptions/<str:exception_id>", api.ExceptionView.as_view()),
]
