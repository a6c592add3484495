"""What the books hold for a merchant, and what made it so."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import CsvRenderer, JsonRenderer, ListQuery
from core.database import newest_first
from core.exports import Value
from core.money import EXPONENTS, Money
from ledger.chart import Kind
from ledger.facts import Fact, Phase
from ledger.models import Account, Entry
from merchants.downloads import download
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView

TYPES = [fact.value for fact in Fact]
CSV_HEADERS = ("id", "created_at", "type", "amount", "currency", "source", "transfer")


@extend_schema_serializer(component_name="LedgerBalance")
class AccountOutput(serializers.Serializer[Any]):
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    amount = serializers.IntegerField()


@extend_schema_serializer(component_name="CurrencyBalance")
class CurrencyOutput(serializers.Serializer[Any]):
    """`amount` is what is owed to you; `reserved` what open refunds, disputes and expected fees would take of it."""

    currency = serializers.CharField()
    amount = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()
    other = AccountOutput(many=True)


@extend_schema_serializer(component_name="Balance")
class BalanceOutput(serializers.Serializer[Any]):
    object = serializers.CharField(default="balance")
    livemode = serializers.BooleanField()
    currencies = CurrencyOutput(many=True)


class BalanceView(ApiView):
    """`/v1/balance`"""

    scopes: ClassVar = {"GET": "balance:read"}

    @extend_schema(operation_id="get_balance", responses={200: BalanceOutput, **PROBLEMS}, tags=["Balance"])
    def get(self, request: Request) -> Response:
        """What the books owe you now, by currency."""
        held = Account.objects.filter(owner=self.caller.merchant.pk, livemode=self.caller.livemode).with_balance()
        return Response(
            {
                "object": "balance",
                "livemode": self.caller.livemode,
                "currencies": _by_currency(held.order_by("currency", "kind")),
            }
        )


def _by_currency(accounts: Iterable[Account]) -> list[dict[str, Any]]:
    """One for each currency. What is not owed to the merchant now stands under `other`, where it is not nothing."""
    found: dict[str, dict[str, Any]] = {}
    for account in accounts:
        shown = found.setdefault(
            account.currency,
            {"currency": account.currency, "amount": 0, "reserved": 0, "available": 0, "other": []},
        )
        if account.kind == Kind.MERCHANT_PAYABLE:
            shown |= {"amount": account.balance, "reserved": account.reserved_now, "available": account.available}
        elif account.balance:
            shown["other"].append({"kind": account.kind, "amount": account.balance})
    return list(found.values())


class BalanceTransactionQuery(ListQuery):
    currency = serializers.ChoiceField(sorted(EXPONENTS), required=False)
    type = serializers.ChoiceField(TYPES, required=False)
    source = serializers.CharField(max_length=32, required=False)  # type: ignore[assignment]  # a field of that name
    created__gte = serializers.DateTimeField(required=False)
    created__lt = serializers.DateTimeField(required=False)

    FILTERS = {
        "currency": "account__currency",
        "type": "transfer__fact",
        "source": "transfer__cause",
        "created__gte": "at__gte",
        "created__lt": "at__lt",
    }

    def filters(self) -> dict[str, Any]:
        return {self.FILTERS[name]: value for name, value in self.validated_data.items() if name in self.FILTERS}


@extend_schema_serializer(component_name="BalanceTransaction")
class BalanceTransactionOutput(serializers.Serializer[Any]):
    """One change of what is owed to you, above zero where it grew. `source` is the object that caused it."""

    id = serializers.CharField()
    object = serializers.CharField(default="balance_transaction")
    type = serializers.ChoiceField(TYPES)
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    transfer = serializers.CharField()
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_entry(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "object": "balance_transaction",
        "type": entry.transfer.fact,
        "amount": entry.amount * entry.account.side,
        "currency": entry.account.currency,
        "source": entry.transfer.cause,
        "transfer": entry.transfer_id,
        "livemode": entry.account.livemode,
        "created_at": clock.rfc3339(entry.at),
    }


class BalanceTransactionsView(ApiView):
    """`/v1/balance-transactions`, as pages or, for `Accept: text/csv`, whole"""

    scopes: ClassVar = {"GET": "balance:read"}
    renderer_classes = [JsonRenderer, CsvRenderer]

    @extend_schema(
        operation_id="list_balance_transactions",
        parameters=[BalanceTransactionQuery],
        responses={
            (200, "application/json"): list_of(BalanceTransactionOutput),
            (200, "text/csv"): OpenApiTypes.STR,
            **PROBLEMS,
        },
        tags=["Balance"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Each change of your balance and its cause, the newest first; whole for `Accept: text/csv`."""
        asked = api.query(request, BalanceTransactionQuery)
        entries = self._entries().filter(**asked.filters())
        if api.wants_csv(request):
            owner = self.caller.merchant.pk
            return download("balance-transactions.csv", merchant=owner, headers=CSV_HEADERS, rows=_csv_rows(entries))
        return Response(api.page(entries, asked, present=present_entry))

    def _entries(self) -> QuerySet[Entry]:
        """What has been posted to the merchant's payable accounts: found by account, each with its own index."""
        caller = self.caller
        accounts = Account.objects.filter(
            owner=caller.merchant.pk, livemode=caller.livemode, kind=Kind.MERCHANT_PAYABLE
        )
        held = list(accounts.values_list("pk", flat=True))
        posted = Entry.objects.filter(account__in=held, transfer__phase=Phase.POSTED)
        return posted.select_related("transfer", "account")


def _csv_rows(entries: QuerySet[Entry]) -> Iterator[list[Value]]:
    for entry in newest_first(entries):
        money = Money(entry.amount * entry.account.side, entry.account.currency)
        written = entry.transfer
        yield [entry.pk, entry.at, written.fact, money.major(), money.currency, written.cause, entry.transfer_id]
