"""Disputes, for merchants: parse, one call, present."""

from typing import ClassVar

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments import dispute_serializers as serializers
from payments.api import IDEMPOTENCY_KEY
from payments.models import Dispute, Operation
from payments.presentation import present_dispute
from payments.services import disputing, resolving


def disputes() -> QuerySet[Dispute]:
    answers = Prefetch("operations", Operation.objects.defer("request"))
    return Dispute.objects.select_related("attempt__account").prefetch_related(answers)


class DisputesView(ApiView):
    """`/v1/disputes`"""

    scopes: ClassVar = {"GET": "disputes:read"}

    @extend_schema(
        operation_id="list_disputes",
        parameters=[serializers.DisputeQuery],
        responses={200: list_of(serializers.DisputeOutput), **PROBLEMS},
        tags=["Disputes"],
    )
    def get(self, request: Request) -> Response:
        """Your disputes, the newest first."""
        asked = api.query(request, serializers.DisputeQuery)
        rows = self.owned(disputes()).filter(**asked.filters())
        return Response(api.page(rows, asked, present=present_dispute))


class DisputeView(ApiView):
    """`/v1/disputes/{id}`"""

    scopes: ClassVar = {"GET": "disputes:read"}

    @extend_schema(
        operation_id="get_dispute", responses={200: serializers.DisputeOutput, **PROBLEMS}, tags=["Disputes"]
    )
    def get(self, request: Request, dispute_id: str) -> Response:
        """One dispute, without the evidence that was given: nobody is shown that again."""
        return Response(present_dispute(self.own(disputes(), dispute_id)))


class EvidenceView(ApiView):
    """`/v1/disputes/{id}/evidence`"""

    scopes: ClassVar = {"POST": "disputes:write"}

    @extend_schema(
        operation_id="give_evidence",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.EvidenceInput,
        responses={200: serializers.DisputeOutput, **PROBLEMS},
        tags=["Disputes"],
    )
    def post(self, request: Request, dispute_id: str) -> Response:
        """Give texts as evidence: staged at first, and for good with `submit`. Before `evidence_due_at`."""
        dispute = self.own(disputes(), dispute_id)
        given = serializers.EvidenceInput(data=request.data)
        given.is_valid(raise_exception=True)
        asked = disputing.EvidenceRequest(
            dispute=dispute,
            evidence=given.validated_data.get("evidence", {}),
            submits=given.validated_data["submit"],
            by=self.caller.actor,
        )
        return self.once(
            act=lambda claim: disputing.give_evidence(asked, claim=claim),
            resume=resolving.resume_dispute,
            present=present_dispute,
        )


class AcceptView(ApiView):
    """`/v1/disputes/{id}/accept`"""

    scopes: ClassVar = {"POST": "disputes:write"}

    @extend_schema(
        operation_id="accept_dispute",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.AcceptInput,
        responses={200: serializers.DisputeOutput, **PROBLEMS},
        tags=["Disputes"],
    )
    def post(self, request: Request, dispute_id: str) -> Response:
        """Give in: the payer keeps the money. This cannot be taken back."""
        dispute = self.own(disputes(), dispute_id)
        serializers.AcceptInput(data=request.data).is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: disputing.accept_dispute(dispute, claim=claim, by=self.caller.actor),
            resume=resolving.resume_dispute,
            present=present_dispute,
        )
