"""Rows for tests, as the house would have written them: sealed where they are sealed, with their prefixes.

What a service makes (merchants, keys, provider accounts) is made by that service; the rest is inserted
directly, so that a test can stand at any moment of a lifecycle without driving it there.
"""

import json
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from core import clock, ids
from events import sealing
from events.models import Callback, Event
from merchants import customers, display_tokens, scopes, services, stores
from merchants.models import (
    ApiKey,
    Customer,
    Delivery,
    DisplayToken,
    FeeSchedule,
    FeeTier,
    Merchant,
    ProviderAccount,
    Store,
    WebhookEndpoint,
)
from orders.models import Order, OrderSource
from payments.models import (
    Attempt,
    Dispute,
    Operation,
    Payment,
    ProviderCustomer,
    Receipt,
    Refund,
    SavedMethod,
    Schedule,
    SchedulePeriod,
    StaticCode,
    UnallocatedReceipt,
)
from payments.saved_models import end_of_month
from payments.states import AttemptState, DisputeState, OperationState, PaymentState, RefundState, SavedMethodState
from reconciliation.models import Discrepancy, Run

STRIPE_CREDENTIALS: dict[str, Any] = {
    "secret_key": "sk_test_factory_made_secret_key",
    "webhook_secrets": ["whsec_factory_made_webhook_secret"],
}
MPESA_CREDENTIALS: dict[str, Any] = {
    "consumer_key": "factory-made-consumer-key",
    "consumer_secret": "factory-made-consumer-secret",
    "passkey": "factory-made-passkey",
    "initiator_name": "factory-operator",
    "initiator_password": "factory-made-password",
}
MPESA_OPTIONS: dict[str, Any] = {"shortcode": "600111", "source_addresses": ["127.0.0.1"]}
CALLBACK_BODY = b'{"phone": "254708374149"}'
"""What a CallbackFactory row holds, sealed."""


class MerchantFactory(DjangoModelFactory[Merchant]):
    class Meta:
        model = Merchant

    name = factory.Sequence(lambda number: f"Merchant {number}")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> Merchant:
        return services.create_merchant(by="tests", **given)


class ApiKeyFactory(DjangoModelFactory[ApiKey]):
    """A key with every scope. What a caller presents is kept on the row as `presented`."""

    class Meta:
        model = ApiKey

    merchant = factory.SubFactory(MerchantFactory)
    name = factory.Sequence(lambda number: f"key {number}")
    owner = "Amina Otieno"
    scopes = factory.LazyFunction(lambda: list(scopes.known()))

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> ApiKey:
        key, secret = services.create_api_key(by="tests", **given)
        key.presented = secret.reveal()  # type: ignore[attr-defined]
        return key


class ProviderAccountFactory(DjangoModelFactory[ProviderAccount]):
    """A Stripe account in test mode at the simulator; `mpesa=True` makes it an M-Pesa one."""

    class Meta:
        model = ProviderAccount

    class Params:
        mpesa = factory.Trait(
            provider="mpesa",
            name="M-Pesa",
            credentials=factory.Sequence(
                lambda number: MPESA_CREDENTIALS | {"consumer_key": f"factory-made-app-{number}"}
            ),
            options=MPESA_OPTIONS,
        )

    merchant = factory.SubFactory(MerchantFactory)
    provider = "stripe"
    name = "Stripe"
    host = "simulator"
    credentials = factory.LazyFunction(lambda: dict(STRIPE_CREDENTIALS))
    options = factory.LazyFunction(dict)

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> ProviderAccount:
        return services.create_provider_account(by="tests", **given)


class CustomerFactory(DjangoModelFactory[Customer]):
    """A person with a name; `email`, `phone` (E.164), `address` are sealed as well when given."""

    class Meta:
        model = Customer

    merchant = factory.SubFactory(MerchantFactory)
    livemode = False
    name = factory.Sequence(lambda number: f"Njeri Kamau {number}")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> Customer:
        merchant, livemode = given.pop("merchant"), given.pop("livemode")
        return customers.create_customer(merchant=merchant, livemode=livemode, given=given, by="tests")


class StoreFactory(DjangoModelFactory[Store]):
    class Meta:
        model = Store

    merchant = factory.SubFactory(MerchantFactory)
    livemode = False
    name = factory.Sequence(lambda number: f"Counter {number}")
    zone = "Asia/Jakarta"

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> Store:
        return stores.create_store(by="tests", **given)


class DisplayTokenFactory(DjangoModelFactory[DisplayToken]):
    """A token of a screen for a day. What the screen shows is kept on the row as `presented`."""

    class Meta:
        model = DisplayToken

    store = factory.SubFactory(StoreFactory)
    name = "Kitchen"
    lifetime = display_tokens.LIFETIME

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> DisplayToken:
        token, secret = display_tokens.create_token(given.pop("store"), by="tests", **given)
        token.presented = secret.reveal()  # type: ignore[attr-defined]
        return token


class OrderSourceFactory(DjangoModelFactory[OrderSource]):
    """A source that nobody has looked at; its database is one that the settings do not name."""

    class Meta:
        model = OrderSource

    merchant = factory.SubFactory(MerchantFactory)
    livemode = False
    name = "Till"
    database = factory.Sequence(lambda number: f"nowhere_{number}")
    schema = "pos"
    table = "pos_orders"


class OrderFactory(DjangoModelFactory[Order]):
    class Meta:
        model = Order

    source = factory.SubFactory(OrderSourceFactory)
    merchant = factory.SelfAttribute("source.merchant")
    livemode = factory.SelfAttribute("source.livemode")
    lane = factory.SelfAttribute("source.pk")
    number = factory.Sequence(str)


class FeeScheduleFactory(DjangoModelFactory[FeeSchedule]):
    """1.5 percent of any method in USD, for an hour. `tiers` are (from amount, fixed, percent), in minor units."""

    class Meta:
        model = FeeSchedule

    account = factory.SubFactory(ProviderAccountFactory)
    method = ""
    currency = "USD"
    effective_from = factory.Sequence(lambda number: clock.now() - timedelta(hours=1, microseconds=number))
    created_by = "tests"
    tiers = ((0, 0, "1.5"),)

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> FeeSchedule:
        tiers = given.pop("tiers")
        schedule = FeeSchedule.objects.create(**given)
        for from_amount, fixed, percent in tiers:
            FeeTier.objects.create(schedule=schedule, from_amount=from_amount, fixed=fixed, percent=Decimal(percent))
        return schedule


class WebhookEndpointFactory(DjangoModelFactory[WebhookEndpoint]):
    """The signing secret is kept on the row as `presented`."""

    class Meta:
        model = WebhookEndpoint

    merchant = factory.SubFactory(MerchantFactory)
    url = factory.Sequence(lambda number: f"https://merchant.example/webhooks/{number}")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> WebhookEndpoint:
        endpoint, secret = services.create_webhook_endpoint(by="tests", **given)
        endpoint.save(force_insert=True)
        endpoint.presented = secret.reveal()  # type: ignore[attr-defined]
        return endpoint


class PaymentFactory(DjangoModelFactory[Payment]):
    """A card payment of USD 12.50. `instrument="254…"` is sealed, and shown only as its hint."""

    class Meta:
        model = Payment

    merchant = factory.SubFactory(MerchantFactory)
    livemode = False
    state = PaymentState.PROCESSING
    amount = 1250
    currency = "USD"
    method = "card"
    reference = factory.Sequence(lambda number: f"order-{number}")
    captured_amount = factory.LazyAttribute(lambda row: row.amount if row.state == PaymentState.SUCCEEDED else 0)
    instrument = ""
    instrument_hint = factory.LazyAttribute(
        lambda row: f"{row.instrument[:4]}•••{row.instrument[-3:]}" if row.instrument else ""
    )

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> Payment:
        phone = given.pop("instrument", "")
        payment = Payment(**given)
        if phone:
            sealing.seal(payment, "instrument", phone)
        payment.save(force_insert=True)
        return payment


class AttemptFactory(DjangoModelFactory[Attempt]):
    class Meta:
        model = Attempt

    payment = factory.SubFactory(PaymentFactory)
    merchant = factory.SelfAttribute("payment.merchant")
    livemode = factory.SelfAttribute("payment.livemode")
    account = factory.SubFactory(
        ProviderAccountFactory,
        merchant=factory.SelfAttribute("..merchant"),
        livemode=factory.SelfAttribute("..livemode"),
    )
    state = AttemptState.OPEN
    provider_reference = factory.LazyFunction(lambda: ids.random_reference(length=12))
    provider_id = factory.Sequence(lambda number: f"pi_{number}")
    asked_amount = factory.SelfAttribute("payment.amount")


class RefundFactory(DjangoModelFactory[Refund]):
    class Meta:
        model = Refund

    attempt = factory.SubFactory(AttemptFactory, payment__state=PaymentState.SUCCEEDED)
    payment = factory.SelfAttribute("attempt.payment")
    store = factory.SelfAttribute("payment.store")
    merchant = factory.SelfAttribute("attempt.merchant")
    livemode = factory.SelfAttribute("attempt.livemode")
    state = RefundState.PENDING
    amount = factory.SelfAttribute("payment.amount")
    currency = factory.SelfAttribute("payment.currency")


class StaticCodeFactory(DjangoModelFactory[StaticCode]):
    """A code that can be paid, as far as our rows say; no company knows of it."""

    class Meta:
        model = StaticCode

    store = factory.SubFactory(StoreFactory)
    account = factory.SubFactory(
        ProviderAccountFactory,
        merchant=factory.SelfAttribute("..store.merchant"),
        livemode=factory.SelfAttribute("..store.livemode"),
    )
    merchant = factory.SelfAttribute("account.merchant")
    livemode = factory.SelfAttribute("account.livemode")
    lane = factory.SelfAttribute("account.pk")
    outcome = StaticCode.Outcome.ACTIVE
    provider_reference = factory.LazyFunction(lambda: ids.random_reference(length=26))
    provider_id = factory.Sequence(lambda number: f"qr_{number}")
    text = "00020101021126"


class DisputeFactory(DjangoModelFactory[Dispute]):
    class Meta:
        model = Dispute

    attempt = factory.SubFactory(AttemptFactory, payment__state=PaymentState.SUCCEEDED)
    payment = factory.SelfAttribute("attempt.payment")
    account = factory.SelfAttribute("attempt.account")
    merchant = factory.SelfAttribute("attempt.merchant")
    livemode = factory.SelfAttribute("attempt.livemode")
    state = DisputeState.NEEDS_RESPONSE
    amount = factory.SelfAttribute("payment.amount")
    currency = factory.SelfAttribute("payment.currency")
    reason = "fraudulent"
    provider_id = factory.Sequence(lambda number: f"dp_{number}")


class SavedMethodFactory(DjangoModelFactory[SavedMethod]):
    """A card that is kept; one that is not has neither card nor id there."""

    class Meta:
        model = SavedMethod

    merchant = factory.SubFactory(MerchantFactory)
    livemode = False
    customer = factory.SubFactory(
        CustomerFactory, merchant=factory.SelfAttribute("..merchant"), livemode=factory.SelfAttribute("..livemode")
    )
    account = factory.SubFactory(
        ProviderAccountFactory,
        merchant=factory.SelfAttribute("..merchant"),
        livemode=factory.SelfAttribute("..livemode"),
    )
    state = SavedMethodState.ACTIVE
    method = "card"
    reference = factory.LazyFunction(lambda: ids.random_reference(length=26))
    setup_key = factory.LazyFunction(lambda: ids.random_reference(length=32))
    closing_key = factory.LazyFunction(lambda: ids.random_reference(length=32))
    token_hash = factory.LazyFunction(ids.random_token)
    setup_ends_at = factory.LazyFunction(lambda: clock.now() + timedelta(hours=72))
    provider_id = factory.Sequence(lambda number: f"pm_{number}")
    brand = "visa"
    last4 = "4242"
    exp_month = 8
    exp_year = 2030
    ends_at = factory.LazyAttribute(lambda row: end_of_month(row.exp_year, row.exp_month))
    by = "tests"
    lane = factory.SelfAttribute("account.pk")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> SavedMethod:
        holder, _ = ProviderCustomer.objects.get_or_create(
            account=given["account"],
            customer=given["customer"],
            defaults={
                "merchant": given["merchant"],
                "livemode": given["livemode"],
                "provider_id": f"cus_{ids.random_reference(length=14)}",
                "key": ids.random_reference(length=32),
            },
        )
        return super()._create(model_class, *args, holder=holder, **given)


class ScheduleFactory(DjangoModelFactory[Schedule]):
    """USD 12.50 on the first of each month, without a period yet."""

    class Meta:
        model = Schedule

    saved_method = factory.SubFactory(SavedMethodFactory)
    merchant = factory.SelfAttribute("saved_method.merchant")
    livemode = factory.SelfAttribute("saved_method.livemode")
    customer = factory.SelfAttribute("saved_method.customer")
    amount = 1250
    currency = "USD"
    unit = "month"
    interval = 1
    zone = "Africa/Nairobi"
    at = time(9)
    starts_on = date(2030, 1, 1)


class SchedulePeriodFactory(DjangoModelFactory[SchedulePeriod]):
    class Meta:
        model = SchedulePeriod

    schedule = factory.SubFactory(ScheduleFactory)
    merchant = factory.SelfAttribute("schedule.merchant")
    livemode = factory.SelfAttribute("schedule.livemode")
    number = factory.Sequence(lambda number: number + 1)
    amount = 1250
    currency = "USD"
    charge_at = factory.LazyFunction(lambda: clock.now() + timedelta(days=1))
    lane = factory.SelfAttribute("schedule.merchant_id")


class OperationFactory(DjangoModelFactory[Operation]):
    """The CREATE of an attempt, whose outcome is unknown. `token` is the word in its callback path."""

    class Meta:
        model = Operation

    class Params:
        token = factory.LazyFunction(ids.random_token)

    attempt = factory.SubFactory(AttemptFactory)
    refund = None
    merchant = factory.SelfAttribute("attempt.merchant")
    livemode = factory.SelfAttribute("attempt.livemode")
    kind = "create"
    state = OperationState.UNKNOWN
    key = factory.LazyFunction(lambda: ids.random_reference(length=32))
    token_hash = factory.LazyAttribute(lambda row: sealing.token_hash(row.token, livemode=row.livemode))
    amount = factory.SelfAttribute("attempt.payment.amount")
    currency = factory.SelfAttribute("attempt.payment.currency")
    by = "tests"
    lane = factory.SelfAttribute("attempt.account.pk")


class ReceiptFactory(DjangoModelFactory[Receipt]):
    class Meta:
        model = Receipt

    attempt = factory.SubFactory(AttemptFactory)
    account = factory.SelfAttribute("attempt.account")
    livemode = factory.SelfAttribute("attempt.livemode")
    kind = "capture"
    provider_money_id = factory.Sequence(lambda number: f"ch_{number}")
    amount = factory.SelfAttribute("attempt.payment.amount")
    currency = factory.SelfAttribute("attempt.payment.currency")
    source = "callback"


class UnallocatedReceiptFactory(DjangoModelFactory[UnallocatedReceipt]):
    """Money that came without a payment; one that is assigned has a payment of the same merchant."""

    class Meta:
        model = UnallocatedReceipt

    state = "open"
    receipt = factory.SubFactory(
        ReceiptFactory,
        attempt=None,
        account=factory.SubFactory(ProviderAccountFactory),
        livemode=False,
        amount=1250,
        currency="USD",
    )
    account = factory.SelfAttribute("receipt.account")
    merchant = factory.SelfAttribute("receipt.account.merchant")
    livemode = factory.SelfAttribute("receipt.livemode")
    payment = factory.Maybe(
        "is_assigned", factory.SubFactory(PaymentFactory, merchant=factory.SelfAttribute("..merchant")), None
    )

    class Params:
        is_assigned = factory.LazyAttribute(lambda row: row.state == "assigned")


class RunFactory(DjangoModelFactory[Run]):
    """A reconciliation run over the last day that nobody works on."""

    class Meta:
        model = Run

    account = factory.SubFactory(ProviderAccountFactory, mpesa=True)
    merchant = factory.SelfAttribute("account.merchant")
    livemode = factory.SelfAttribute("account.livemode")
    occasion = "person"
    by = "tests"
    until = factory.LazyFunction(clock.now)
    since = factory.LazyAttribute(lambda row: row.until - timedelta(hours=24))
    lane = factory.SelfAttribute("account.pk")


class DiscrepancyFactory(DjangoModelFactory[Discrepancy]):
    """KES 250.00 that the provider lists, and that is booked nowhere."""

    class Meta:
        model = Discrepancy

    run = factory.SubFactory(RunFactory)
    account = factory.SelfAttribute("run.account")
    merchant = factory.SelfAttribute("run.merchant")
    livemode = factory.SelfAttribute("run.livemode")
    kind = "missing_here"
    key = factory.Sequence(lambda number: f"TKK4{number:06}")
    direction = "capture"
    listed_amount = 25_000
    listed_currency = "KES"


class CallbackFactory(DjangoModelFactory[Callback]):
    """`provider_account` is the account's row; headers and body are sealed."""

    class Meta:
        model = Callback

    class Params:
        provider_account = factory.SubFactory(ProviderAccountFactory)

    merchant = factory.SelfAttribute("provider_account.merchant_id")
    livemode = factory.SelfAttribute("provider_account.livemode")
    account = factory.SelfAttribute("provider_account.pk")
    provider = factory.SelfAttribute("provider_account.provider")
    lane = factory.SelfAttribute("provider_account.pk")
    door = "events"
    digest = factory.Sequence(lambda number: f"{number:064x}")
    address = "203.0.113.7"
    state = Callback.State.RECEIVED
    headers = factory.LazyFunction(lambda: {"content-type": "application/json"})
    body = CALLBACK_BODY

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **given: Any) -> Callback:
        headers, body = given.pop("headers"), given.pop("body")
        row = Callback(**given)
        sealing.seal(row, "headers", json.dumps(headers))
        sealing.seal(row, "body", body)
        row.save(force_insert=True)
        return row


class EventFactory(DjangoModelFactory[Event]):
    """An event about `about`, a payment unless another is given."""

    class Meta:
        model = Event

    class Params:
        about = factory.SubFactory(PaymentFactory)

    merchant = factory.SelfAttribute("about.merchant_id")
    livemode = factory.SelfAttribute("about.livemode")
    type = "payment.succeeded"
    subject = factory.SelfAttribute("about.pk")
    sequence = factory.Sequence(lambda number: number + 1)
    data = factory.LazyAttribute(lambda row: {"id": row.subject, "object": "payment"})
    api_version = "2026-11-20"


class DeliveryFactory(DjangoModelFactory[Delivery]):
    class Meta:
        model = Delivery

    event = factory.SubFactory(EventFactory)
    endpoint = factory.LazyAttribute(
        lambda row: WebhookEndpointFactory(
            merchant=Merchant.objects.get(pk=row.event.merchant), livemode=row.event.livemode
        )
    )
    livemode = factory.SelfAttribute("event.livemode")
    lane = factory.SelfAttribute("endpoint.pk")
    state = Delivery.State.PENDING
