"""Reconciliation, for merchants: what was compared, and what did not agree."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from reconciliation import serializers
from reconciliation.models import Discrepancy, Run
from reconciliation.presentation import present_discrepancy, present_run

TAGS = ["Reconciliation"]
SCOPE = "reconciliation:read"


class RunsView(ApiView):
    """`/v1/reconciliation/runs`"""

    scopes: ClassVar = {"GET": SCOPE}

    @extend_schema(
        operation_id="list_reconciliation_runs",
        parameters=[serializers.RunQuery],
        responses={200: list_of(serializers.RunOutput), **PROBLEMS},
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """The runs over your accounts, the newest first."""
        asked = api.query(request, serializers.RunQuery)
        rows = self.owned(Run.objects.select_related("upload")).filter(**asked.filters())
        return Response(api.page(rows, asked, present=present_run))


class RunView(ApiView):
    """`/v1/reconciliation/runs/{id}`"""

    scopes: ClassVar = {"GET": SCOPE}

    @extend_schema(operation_id="get_reconciliation_run", responses={200: serializers.RunOutput, **PROBLEMS}, tags=TAGS)
    def get(self, request: Request, run_id: str) -> Response:
        """One run, also while it is under way."""
        return Response(present_run(self.own(Run.objects.all(), run_id)))


class ExceptionsView(ApiView):
    """`/v1/reconciliation/exceptions`"""

    scopes: ClassVar = {"GET": SCOPE}

    @extend_schema(
        operation_id="list_reconciliation_exceptions",
        parameters=[serializers.ExceptionQuery],
        responses={200: list_of(serializers.ExceptionOutput), **PROBLEMS},
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """What a provider's statement and the books disagreed about, the newest first; each once for ever."""
        asked = api.query(request, serializers.ExceptionQuery)
        rows = self.owned(Discrepancy.objects.all()).filter(**asked.filters())
        return Response(api.page(rows, asked, present=present_discrepancy))


class ExceptionView(ApiView):
    """`/v1/reconciliation/exceptions/{id}`"""

    scopes: ClassVar = {"GET": SCOPE}

    @extend_schema(
        operation_id="get_reconciliation_exception",
        responses={200: serializers.ExceptionOutput, **PROBLEMS},
        tags=TAGS,
    )
    def get(self, request: Request, exception_id: str) -> Response:
        """One exception."""
        return Response(present_discrepancy(self.own(Discrepancy.objects.all(), exception_id)))
