"""The history of a merchant's money: as pages, or whole as CSV."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import CsvRenderer, JsonRenderer, ListQuery
from core.exports import Value
from core.money import EXPONENTS, Money
from core.pages import Place, listed, place_of
from merchants import accounts, transactions
from merchants.downloads import download
from merchants.openapi import PROBLEMS, list_of
from merchants.transactions import History, Transaction
from merchants.views import ApiView

CSV_HEADERS = (
    "id",
    "created_at",
    "type",
    "direction",
    "state",
    "amount",
    "currency",
    "method",
    "provider",
    "provider_id",
    "reference",
    "payment",
    "store",
)
KINDS = [subject.kind for subject in transactions.kinds()]
STATES = sorted({state for subject in transactions.kinds() for state in subject.machine.states})
METHODS = sorted({method for kind in accounts.everyone().values() for method in kind.methods})
MAX_AMOUNT = 10**15


class TransactionQuery(ListQuery):
    type = serializers.ChoiceField(KINDS, required=False)
    state = serializers.ChoiceField(STATES, required=False)
    provider = serializers.ChoiceField(sorted(accounts.everyone()), required=False)
    method = serializers.ChoiceField(METHODS, required=False)
    currency = serializers.ChoiceField(sorted(EXPONENTS), required=False)
    reference = serializers.CharField(max_length=100, required=False)
    store = serializers.CharField(max_length=32, required=False)
    amount__gte = serializers.IntegerField(required=False, min_value=0, max_value=MAX_AMOUNT)
    amount__lte = serializers.IntegerField(required=False, min_value=0, max_value=MAX_AMOUNT)
    created__gte = serializers.DateTimeField(required=False)
    created__lt = serializers.DateTimeField(required=False)

    FILTERS = {
        "state": "state",
        "currency": "currency",
        "amount__gte": "amount__gte",
        "amount__lte": "amount__lte",
        "created__gte": "created_at__gte",
        "created__lt": "created_at__lt",
    }

    def history(self, *, merchant: str, livemode: bool) -> History:
        asked = self.validated_data
        return History(
            merchant=merchant,
            livemode=livemode,
            filters={field: asked[name] for name, field in self.FILTERS.items() if name in asked},
            shown={name: asked[name] for name in ("provider", "method", "store") if name in asked},
            reference=asked.get("reference"),
            kinds=(asked["type"],) if "type" in asked else (),
        )


@extend_schema_serializer(component_name="Transaction")
class TransactionOutput(serializers.Serializer[Any]):
    """One payment, refund or other movement, told alike. `id` is the object's own, by which it can be read whole."""

    id = serializers.CharField()
    object = serializers.CharField(default="transaction")
    type = serializers.ChoiceField(KINDS)
    direction = serializers.ChoiceField(["in", "out"])
    state = serializers.ChoiceField(STATES)
    amount = serializers.IntegerField(help_text="Minor units of the currency; never below zero")
    currency = serializers.CharField()
    method = serializers.CharField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    provider_id = serializers.CharField(allow_null=True, help_text="What the provider calls it")
    reference = serializers.CharField(allow_null=True, help_text="Your own; a refund's is that of its payment")
    payment = serializers.CharField(allow_null=True, help_text="The payment that it is, or belongs to")
    store = serializers.CharField(allow_null=True, help_text="Where the payment was taken")
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_transaction(row: Transaction, *, livemode: bool) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": "transaction",
        "type": row.type,
        "direction": row.direction,
        "state": row.state,
        "amount": row.amount,
        "currency": row.currency,
        "method": row.method or None,
        "provider": row.provider or None,
        "provider_id": row.provider_id or None,
        "reference": row.reference or None,
        "payment": row.payment or None,
        "store": row.store or None,
        "livemode": livemode,
        "created_at": clock.rfc3339(row.created_at),
    }


class TransactionsView(ApiView):
    """`/v1/transactions`, as pages or, for `Accept: text/csv`, whole"""

    scopes: ClassVar = {"GET": "transactions:read"}
    renderer_classes = [JsonRenderer, CsvRenderer]

    @extend_schema(
        operation_id="list_transactions",
        parameters=[TransactionQuery],
        responses={
            (200, "application/json"): list_of(TransactionOutput),
            (200, "text/csv"): OpenApiTypes.STR,
            **PROBLEMS,
        },
        tags=["Transactions"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Payments, refunds and other movements in one list, the newest first; whole for `Accept: text/csv`."""
        asked = api.query(request, TransactionQuery)
        history = asked.history(merchant=self.caller.merchant.pk, livemode=self.caller.livemode)
        if api.wants_csv(request):
            owner = history.merchant
            return download("transactions.csv", merchant=owner, headers=CSV_HEADERS, rows=_csv_rows(history))
        limit = asked.validated_data["limit"]
        found = history.after(place_of(asked.validated_data.get("cursor")), limit=limit + 1)
        return Response(listed(found, limit=limit, place=_place, present=self._presented))

    def _presented(self, row: Transaction) -> dict[str, Any]:
        return present_transaction(row, livemode=self.caller.livemode)


def _place(row: Transaction) -> Place:
    return row.place


def _csv_rows(history: History) -> Iterator[list[Value]]:
    for row in history.whole():
        amount = Money(row.amount, row.currency).major()
        yield [row.id, row.created_at, row.type, row.direction, row.state, amount, row.currency, *row[5:]]
