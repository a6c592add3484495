"""Money that came without a payment, for merchants: see it, and say whose it is."""

from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments import serializers
from payments.api import IDEMPOTENCY_KEY
from payments.models import UnallocatedReceipt
from payments.presentation import present_unallocated
from payments.services import assigning


def unallocated() -> QuerySet[UnallocatedReceipt]:
    return UnallocatedReceipt.objects.select_related("receipt", "account")


class UnallocatedReceiptsView(ApiView):
    """`/v1/unallocated-receipts`"""

    scopes: ClassVar = {"GET": "payments:read"}

    @extend_schema(
        operation_id="list_unallocated_receipts",
        parameters=[serializers.UnallocatedQuery],
        responses={200: list_of(serializers.UnallocatedOutput), **PROBLEMS},
        tags=["Unallocated receipts"],
    )
    def get(self, request: Request) -> Response:
        """Money that came to your paybill without a payment, the newest first."""
        asked = api.query(request, serializers.UnallocatedQuery)
        rows = self.owned(unallocated()).filter(**asked.filters())
        return Response(api.page(rows, asked, present=present_unallocated))


class UnallocatedReceiptView(ApiView):
    """`/v1/unallocated-receipts/{id}`"""

    scopes: ClassVar = {"GET": "payments:read"}

    @extend_schema(
        operation_id="get_unallocated_receipt",
        responses={200: serializers.UnallocatedOutput, **PROBLEMS},
        tags=["Unallocated receipts"],
    )
    def get(self, request: Request, receipt_id: str) -> Response:
        """One receipt, with the reference that the payer typed."""
        return Response(present_unallocated(self.own(unallocated(), receipt_id)))


class AssignView(ApiView):
    """`/v1/unallocated-receipts/{id}/assign`"""

    scopes: ClassVar = {"POST": "payments:write"}

    @extend_schema(
        operation_id="assign_unallocated_receipt",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.AssignInput,
        responses={200: serializers.UnallocatedOutput, **PROBLEMS},
        tags=["Unallocated receipts"],
    )
    def post(self, request: Request, receipt_id: str) -> Response:
        """Say whose money it is: an open payment's, or that of a new one. This cannot be taken back."""
        receipt = self.own(unallocated(), receipt_id)
        asked = serializers.AssignInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: assigning.assign(receipt, asked.target(), by=self.caller.actor, claim=claim),
            resume=lambda public_id: unallocated().get(pk=public_id),
            present=present_unallocated,
        )
