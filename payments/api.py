"""Payments and refunds, for merchants: parse, one call, present."""

from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.errors import NotFound
from core.money import Money
from events.idempotency import Claim
from merchants.customer_search import everyone_of
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from orders.sources import orders_called
from payments import finding, serializers
from payments.models import Payment, Refund
from payments.presentation import present_payment, present_refund
from payments.services import changing, resolving, simulating, taking

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="Your own; the same on a retry.",
)


def payments() -> QuerySet[Payment]:
    return Payment.objects.select_related("order").prefetch_related("attempts__account")


class PaymentsView(ApiView):
    """`/v1/payments`"""

    scopes: ClassVar = {"GET": "payments:read", "POST": "payments:write"}

    @extend_schema(
        operation_id="list_payments",
        parameters=[serializers.PaymentQuery],
        responses={200: list_of(serializers.PaymentOutput), **PROBLEMS},
        tags=["Payments"],
    )
    def get(self, request: Request) -> Response:
        """Your payments, the newest first, narrowed by whatever parameters are given."""
        asked = api.query(request, serializers.PaymentQuery)
        rows = self.owned(payments()).filter(**asked.filters(), **self._of_customer(asked), **self._of_order(asked))
        return Response(api.page(self._known_to_provider(rows, asked), asked, present=present_payment))

    def _of_customer(self, asked: serializers.PaymentQuery) -> dict[str, list[str]]:
        public_id = asked.validated_data.get("customer")
        if public_id is None:
            return {}
        caller = self.caller
        merchant, livemode = caller.merchant.pk, caller.livemode
        return {"customer__in": everyone_of(merchant=merchant, livemode=livemode, public_id=public_id)}

    def _of_order(self, asked: serializers.PaymentQuery) -> dict[str, list[str]]:
        number = asked.validated_data.get("order")
        if number is None:
            return {}
        caller = self.caller
        return {"order__in": orders_called(number, merchant=caller.merchant.pk, livemode=caller.livemode)}

    def _known_to_provider(self, rows: QuerySet[Payment], asked: serializers.PaymentQuery) -> QuerySet[Payment]:
        given, caller = asked.validated_data, self.caller
        if "provider" in given:
            rows = finding.taken_by(rows, given["provider"])
        words = {name: given[name] for name in finding.PROVIDER_WORDS if name in given}
        return finding.known_to_provider_as(rows, words, merchant=caller.merchant.pk, livemode=caller.livemode)

    @extend_schema(
        operation_id="create_payment",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.PaymentInput,
        responses={201: serializers.PaymentOutput, **PROBLEMS},
        tags=["Payments"],
    )
    def post(self, request: Request) -> Response:
        """Ask for money, by card or by a prompt on the payer's phone.

        Answers 201 with the payment in whatever `state` it is: `requires_action` waits for the payer (`next_action`
        says for what), `processing` for the provider, and `failed` says why in `failure`. A webhook tells of each
        change. Without `provider`, the account with the lowest `priority` of those that can take it is asked.
        """
        given = serializers.PaymentInput(data=request.data)
        given.is_valid(raise_exception=True)
        asked = self._request(given)
        return self.once(
            act=lambda claim: taking.take_payment(asked, claim=claim),
            resume=resolving.resume,
            present=present_payment,
            status=201,
        )

    def _request(self, given: serializers.PaymentInput) -> taking.PaymentRequest:
        fields = dict(given.validated_data)
        for name in ("phone", "payment_method", "payer_details", "lines"):
            fields.pop(name, None)
        money = Money(fields.pop("amount"), fields.pop("currency"))
        return taking.PaymentRequest(
            merchant=self.caller.merchant,
            livemode=self.caller.livemode,
            money=money,
            instrument=given.instrument(),
            payer=given.payer(),
            lines=given.lines_of(money.currency),
            by=self.caller.actor,
            **fields,
        )


class PaymentView(ApiView):
    """`/v1/payments/{id}`"""

    scopes: ClassVar = {"GET": "payments:read"}

    @extend_schema(
        operation_id="get_payment", responses={200: serializers.PaymentOutput, **PROBLEMS}, tags=["Payments"]
    )
    def get(self, request: Request, payment_id: str) -> Response:
        """One payment as it is now, with every attempt at it."""
        return Response(present_payment(self.own(payments(), payment_id)))


class CaptureView(ApiView):
    """`/v1/payments/{id}/capture`"""

    scopes: ClassVar = {"POST": "payments:write"}

    @extend_schema(
        operation_id="capture_payment",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.CaptureInput,
        responses={200: serializers.PaymentOutput, **PROBLEMS},
        tags=["Payments"],
    )
    def post(self, request: Request, payment_id: str) -> Response:
        """Collect what an authorized payment holds, or less; the rest is released."""
        payment = self.own(payments(), payment_id)
        asked = serializers.CaptureInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: changing.capture_payment(
                payment, amount=asked.validated_data.get("amount"), claim=claim, by=self.caller.actor
            ),
            resume=resolving.resume,
            present=present_payment,
        )


class CancelView(ApiView):
    """`/v1/payments/{id}/cancel`"""

    scopes: ClassVar = {"POST": "payments:write"}

    @extend_schema(
        operation_id="cancel_payment",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.CancelInput,
        responses={200: serializers.PaymentOutput, **PROBLEMS},
        tags=["Payments"],
    )
    def post(self, request: Request, payment_id: str) -> Response:
        """End a payment that is not paid. A prompt that the payer may still answer is closed at the provider."""
        payment = self.own(payments(), payment_id)
        serializers.CancelInput(data=request.data).is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: changing.cancel_payment(payment, claim=claim, by=self.caller.actor),
            resume=resolving.resume,
            present=present_payment,
        )


class RefundsView(ApiView):
    """`/v1/payments/{id}/refunds`"""

    scopes: ClassVar = {"GET": "refunds:read", "POST": "refunds:write"}

    @extend_schema(
        operation_id="list_refunds",
        parameters=[api.ListQuery],
        responses={200: list_of(serializers.RefundOutput), **PROBLEMS},
        tags=["Refunds"],
    )
    def get(self, request: Request, payment_id: str) -> Response:
        """The refunds of one payment, the newest first."""
        payment = self.own(payments(), payment_id)
        asked = api.query(request, api.ListQuery)
        return Response(api.page(payment.refunds.all(), asked, present=present_refund))

    @extend_schema(
        operation_id="create_refund",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.RefundInput,
        responses={201: serializers.RefundOutput, **PROBLEMS},
        tags=["Refunds"],
    )
    def post(self, request: Request, payment_id: str) -> Response:
        """Give a payment's money back, all that is left or a part.

        Where the provider decides later, the refund is `pending` and a webhook tells the end.
        """
        payment = self.own(payments(), payment_id)
        given = serializers.RefundInput(data=request.data)
        given.is_valid(raise_exception=True)
        asked = changing.RefundRequest(payment=payment, by=self.caller.actor, **given.validated_data)
        return self.once(
            act=lambda claim: changing.refund_payment(asked, claim=claim),
            resume=resolving.resume_refund,
            present=present_refund,
            status=201,
        )


class RefundView(ApiView):
    """`/v1/refunds/{id}`"""

    scopes: ClassVar = {"GET": "refunds:read"}

    @extend_schema(operation_id="get_refund", responses={200: serializers.RefundOutput, **PROBLEMS}, tags=["Refunds"])
    def get(self, request: Request, refund_id: str) -> Response:
        """One refund as it is now."""
        return Response(present_refund(self.own(Refund.objects.all(), refund_id)))


class SimulateView(ApiView):
    """`/v1/test/payments/{id}/simulate`"""

    key_is_optional = True
    scopes: ClassVar = {"POST": "payments:write"}

    @extend_schema(
        operation_id="simulate_payment",
        request=serializers.SimulateInput,
        responses={202: serializers.PaymentOutput, **PROBLEMS},
        tags=["Test mode"],
    )
    def post(self, request: Request, payment_id: str) -> Response:
        """Play the payer at the provider's simulator, by whichever method: `succeed`, `fail`, `insufficient_funds`,
        `cancel`, `expire`, `late_success`.

        In test mode only. What it leads to arrives as it would from the provider, by its callback, a moment later;
        where a provider tells of no such end, it is asked. As in life, some tell nobody of a payer who was refused: the
        payment then stays open, and can be paid. One by `mpesa` also knows `paybill`: paid unasked, by its reference.
        """
        if self.caller.livemode:
            raise NotFound("Payments are simulated in test mode only.")
        payment = self.own(payments(), payment_id)
        asked = serializers.SimulateInput(data=request.data)
        asked.is_valid(raise_exception=True)

        def act(claim: Claim) -> Payment:
            simulating.simulate(payment, asked.validated_data["outcome"])
            claim.bind(payment.pk)
            return resolving.found(payment.pk)

        return self.once(act=act, resume=resolving.found, present=present_payment, status=202)
