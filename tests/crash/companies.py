"""What a crash run knows of each provider: accounts, the payers it asks, what its ledger says, where to take aim.

A new provider joins with a declaration here and a place in ALL.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import requests

from tests.crash.gates import Call

Json = dict[str, Any]
LOST_SHARE = 0.4


class Meaning(StrEnum):
    """What a payment's state in a provider's ledger says of the money. NOTHING is one that is not there."""

    PAID = "paid"
    HELD = "held"
    WAITING = "waiting"
    ENDED = "ended"
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to pay in which the payer is asked: `body` is what the request says of it.

    `approve` and `decline` are what the payer does; without the latter the company does not tell that one did.
    Amounts are multiples of `multiple` hundredths between `least` and `most`, and of three of it.
    """

    body: Mapping[str, Any]
    approve: str = "approve"
    decline: str = "decline"
    least: int = 1_200
    most: int = 90_000
    multiple: int = 1
    can_be_held: bool = False
    can_be_cancelled: bool = True
    can_be_refunded: bool = True


@dataclass(frozen=True, kw_only=True)
class Company:
    """`credentials` are those of its accounts, which are tried in their order; `options` are theirs, by its address.

    `settings` are its simulator's; `door` is one whose address it is told once and for all, as `door_in`. Of those with
    `ways`, `means` tells each state of its ledger; `moves_without_us` and `replays` say whether what waits there can
    still be paid after we gave it up, and whether a lost creation is sent again. `writes` are calls to aim at, by how
    often, `questions` those that a callback gives reason to ask. `refunds_by` is the column of its ledger that holds
    our operation's key. `loses` says of a call whether it is one of which answers get lost.
    """

    name: str
    credentials: tuple[Mapping[str, Any], ...]
    options: Callable[[str], Mapping[str, Any]] = field(default=lambda url: {})
    settings: Mapping[str, Any] = field(default_factory=dict)
    door: str = ""
    door_in: str = "webhook_url"
    ways: tuple[Way, ...] = ()
    means: Mapping[str, Meaning] = field(default_factory=dict)
    moves_without_us: bool = True
    replays: bool = True
    writes: Mapping[str, int]
    questions: tuple[str, ...] = ()
    refunds_by: str = "idempotency_key"
    loses: Callable[[Call], bool] = field(default=lambda call: False)


STRIPE = Company(
    name="stripe",
    credentials=({"secret_key": "sk_test_lango_simulator", "webhook_secrets": ["whsec_lango_simulator"]},),
    settings={
        "answer_seconds": 0.05,
        "refund_seconds": 0.3,
        "balance_seconds": 0.1,
        "webhook_secret": "whsec_lango_simulator",
    },
    door="events",
    writes={
        "POST /v1/payment_intents": 4,
        "POST /v1/payment_intents/*/capture": 3,
        "POST /v1/payment_intents/*/cancel": 2,
        "POST /v1/refunds": 3,
    },
    refunds_by="reference",
)


def _mpesa_options(url: str) -> Json:
    certificate = requests.get(f"{url}/_simulator/certificate", timeout=5).text
    return {"shortcode": "600111", "certificate": certificate, "source_addresses": ["127.0.0.1"]}


MPESA = Company(
    name="mpesa",
    credentials=(
        {
            "consumer_key": "lango-simulator-key",
            "consumer_secret": "lango-simulator-secret",
            "passkey": "lango-simulator-passkey-600111",
            "initiator_name": "lango-operator",
            "initiator_password": "Simulator-Pass-1!",
        },
    ),
    options=_mpesa_options,
    settings={"answer_seconds": 0.05, "result_seconds": 0.05, "prompt_seconds": 4.0},
    writes={"POST /mpesa/stkpush/*": 4, "POST /mpesa/reversal/*": 3, "POST /mpesa/transactionstatus/*": 2},
    questions=("POST /mpesa/stkpushquery/*", "POST /mpesa/transactionstatus/*"),
    refunds_by="reference",
)


_PAYER = {"name": "Siti Rahayu", "email": "siti@example.com", "phone": "+6281200001111"}


def _rupiah(*, decline: str = "decline", cancel: bool = True, refund: bool = True, **body: Any) -> Way:
    """Whole rupiah, from 10,000 to 90,000."""
    return Way(
        body={"currency": "IDR", **body},
        decline=decline,
        least=1_000_000,
        most=9_000_000,
        multiple=100,
        can_be_cancelled=cancel,
        can_be_refunded=refund,
    )


def _is_first_charge(call: Call) -> bool:
    """One of Midtrans' first account."""
    user = base64.b64encode(b"SB-Mid-server-lango-simulator:").decode()
    return call.name == "POST /v2/charge" and call.headers.get("Authorization") == f"Basic {user}"


MIDTRANS = Company(
    name="midtrans",
    credentials=(
        {"server_key": "SB-Mid-server-lango-simulator"},
        {"server_key": "SB-Mid-server-lango-simulator-2"},
    ),
    settings={"answer_seconds": 0.05, "callback_retries": [0.5, 2.0, 8.0]},
    ways=(
        _rupiah(method="qris"),
        _rupiah(method="ewallet", channel="gopay", return_url="http://127.0.0.1/back"),
    ),
    means={
        "settlement": Meaning.PAID,
        "refund": Meaning.PAID,
        "partial_refund": Meaning.PAID,
        "pending": Meaning.WAITING,
        "deny": Meaning.ENDED,
        "cancel": Meaning.ENDED,
        "expire": Meaning.ENDED,
    },
    writes={"POST /v2/charge": 4, "POST /v2/*/refund": 2, "POST /v2/*/cancel": 2},
    questions=("GET /v2/*/status",),
    loses=_is_first_charge,
)

PAYPAL = Company(
    name="paypal",
    credentials=({"client_id": "lango-simulator-client", "client_secret": "lango-simulator-secret"},),
    # Its certificates are at the simulator's own port, and its account is at the gate before it.
    options=lambda url: {"webhook_ids": ["9AB12345CD678901E"], "webhook_verification": "endpoint"},
    settings={"answer_seconds": 0.05, "pending_seconds": 0.2, "callback_retries": [0.5, 2.0, 8.0]},
    door="events",
    ways=(
        Way(
            body={"currency": "USD", "method": "paypal", "return_url": "http://127.0.0.1/back"},
            can_be_held=True,
        ),
    ),
    means={
        "succeeded": Meaning.PAID,
        "created": Meaning.HELD,
        "payer_action_required": Meaning.WAITING,
        "approved": Meaning.WAITING,
        "voided": Meaning.ENDED,
        "declined": Meaning.ENDED,
    },
    moves_without_us=False,
    writes={
        "POST /v2/checkout/orders": 2,
        "POST /v2/checkout/orders/*/capture": 3,
        "POST /v2/checkout/orders/*/authorize": 1,
        "POST /v2/payments/authorizations/*/capture": 1,
        "POST /v2/payments/captures/*/refund": 2,
    },
)

XENDIT = Company(
    name="xendit",
    credentials=(
        {"secret_key": "xnd_development_lango-simulator", "callback_token": "lango-simulator-callback-token"},
    ),
    settings={"answer_seconds": 0.05, "settle_seconds": 2.0, "callback_retries": [0.5, 2.0, 8.0]},
    door="notifications",
    # Of a code that is left alone nothing is told for two days.
    ways=(
        _rupiah(method="qris", decline="", cancel=False),
        _rupiah(method="hosted_page", decline="", return_url="http://127.0.0.1/back"),
    ),
    means={
        "paid": Meaning.PAID,
        "settled": Meaning.PAID,
        "active": Meaning.WAITING,
        "pending": Meaning.WAITING,
        "inactive": Meaning.ENDED,
        "expired": Meaning.ENDED,
    },
    replays=False,
    writes={
        "POST /qr_codes": 3,
        "POST /qr_codes/payments/*/refunds": 2,
        "POST /v2/invoices": 2,
        "POST /invoices/*/expire!": 1,
        "POST /refunds": 2,
    },
    questions=("GET /qr_codes/*", "GET /v2/invoices/*"),
    refunds_by="reference",
)

IPAYMU = Company(
    name="ipaymu",
    credentials=({"va": "1179000000000001", "api_key": "lango-simulator-ipaymu-key"},),
    settings={"answer_seconds": 0.05, "callback_retries": [0.5, 2.0, 8.0]},
    ways=(
        _rupiah(method="qris", payer_details=_PAYER, decline="", cancel=False, refund=False),
        _rupiah(method="virtual_account", channel="bni", payer_details=_PAYER, decline="", cancel=False, refund=False),
    ),
    means={
        "berhasil": Meaning.PAID,
        "berhasil unsettled": Meaning.PAID,
        "pending": Meaning.WAITING,
        "expired": Meaning.ENDED,
        "batal": Meaning.ENDED,
        "gagal": Meaning.ENDED,
        "error": Meaning.ENDED,
    },
    replays=False,
    writes={"POST /api/v2/payment/direct": 4},
    questions=("POST /api/v2/transaction",),
)

BAYARIND = Company(
    name="bayarind",
    credentials=({"channel_id": "TOKOEXVA01", "secret_key": "0123456789abcdef0123456789abcdef"},),
    options=lambda url: {
        "company_codes": {"bca": "12345", "permata": "8965"},
        "service_codes": {"qris": "9001"},
    },
    settings={"answer_seconds": 0.05, "callback_retries": [0.5, 2.0, 8.0]},
    door="flag",
    door_in="flag_url",
    ways=(
        _rupiah(method="virtual_account", channel="bca", decline="", refund=False),
        _rupiah(method="qris", decline="", refund=False),
    ),
    means={
        "paid": Meaning.PAID,
        "pending": Meaning.WAITING,
        "void": Meaning.ENDED,
        "voided": Meaning.ENDED,
        "cancelled": Meaning.ENDED,
        "expired": Meaning.ENDED,
    },
    writes={"POST /PaymentRegister": 4, "POST /PostAuth": 2},
)

ALL = (STRIPE, MPESA, MIDTRANS, PAYPAL, XENDIT, IPAYMU, BAYARIND)
