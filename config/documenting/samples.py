"""Words for examples: what a property of the API may hold, by its name, and whole requests that tell a story.

Whatever is not named here is made from its schema; a test holds every example against the schema that it stands for.
"""

from collections.abc import Mapping
from typing import Any

from core.ids import PREFIXES
from merchants import api_balance, api_transactions

MOMENT = "2026-11-20T14:05:06.123456Z"
LATER = "2026-11-27T14:05:06.123456Z"
SAMPLE = "01kag2p7d3e8ktz4v0m5w9x1yb"


def sample_id(kind: str) -> str:
    """An id of that kind of object, by its name in `object` or in the table of prefixes."""
    words = _UNLIKE.get(kind, kind.replace("_", " "))
    prefix = next((prefix for prefix, told in PREFIXES.items() if told.lower() == words), "")
    return f"{prefix}_{SAMPLE}" if prefix else SAMPLE


_UNLIKE = {
    "webhook_delivery": "delivery",
    "webhook_attempt": "delivery attempt",
    "balance_transaction": "ledger entry",
    "request_log": "audit entry",
    "code": "static code",
    "provider_account_test": "provider account",
    "transaction": "payment",
    "reconciliation_exception": "discrepancy",
}
"""Objects whose name is not that of their id."""

PROPERTIES: Mapping[str, Any] = {
    "account": sample_id("provider_account"),
    "address": None,
    "allowed_addresses": ["203.0.113.0/24"],
    "amount": 25_000,
    "answer": "ok",
    "api_version": "2026-11-20",
    "attempts": [],
    "captured_amount": 25_000,
    "currency": "KES",
    "customer": sample_id("customer"),
    "description": "Lunch for two",
    "duplicate": sample_id("customer"),
    "email": "njeri@example.com",
    "endpoint": sample_id("webhook_endpoint"),
    "event": sample_id("event"),
    "event_type": "payment.succeeded",
    "event_types": ["payment.succeeded", "payment.failed"],
    "every": {"unit": "month", "interval": 1, "weekday": None, "day": 31},
    "expires_at": LATER,
    "host": "simulator",
    "is_current": True,
    "is_enabled": True,
    "key": sample_id("API key".lower()),
    "last_four": "4242",
    "metadata": {},
    "milliseconds": 84,
    "name": "Njeri Kamau",
    "outcome": "approve",
    "owner": "shop@example.com",
    "payment": sample_id("payment"),
    "pending_response": None,
    "payment_method": "pm_card_visa",
    "phone": "+254711000111",
    "prefix": "sk_test_7Qd2",
    "priority": 100,
    "provider": "mpesa",
    "provider_id": "ws_CO_20112026170506123711000111",
    "provider_money_id": "TKL7P2Q9XA",
    "provider_reference": "7H2KQ9ZP4XWD",
    "provider_status": "completed",
    "reason": "Not as ordered",
    "receipt": "TKL7P2Q9XA",
    "reference": "order-1042",
    "request_id": "8Z2KQ7ZP4XWD1M5T9RBC",
    "retries": [1, 3, 5],
    "return_url": "https://shop.example/thanks",
    "route": "/v1/payments",
    "saved_method": sample_id("saved_method"),
    "schedule": sample_id("schedule"),
    "scopes": ["payments:read", "payments:write"],
    "sequence": 2,
    "source": sample_id("payment"),
    "status": 201,
    "store": sample_id("store"),
    "starts_on": "2027-01-01",
    "subject": sample_id("payment"),
    "time": "09:00",
    "transfer": sample_id("transfer"),
    "type": "payment.succeeded",
    "types": ["payment.succeeded"],
    "url": "https://shop.example/webhooks",
    "zone": "Africa/Nairobi",
}
"""By the name of the property, wherever it fits the schema."""


def _attempt(provider: str, provider_id: str, provider_status: str, state: str = "succeeded") -> dict[str, Any]:
    return {
        "id": sample_id("attempt"),
        "provider": provider,
        "account": sample_id("provider_account"),
        "state": state,
        "provider_reference": "7H2KQ9ZP4XWD",
        "provider_id": provider_id,
        "provider_status": provider_status,
        "failure": None,
        "created_at": MOMENT,
    }


_CARD = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2028, "fingerprint": "Xt5EWLLDS7FJjR1c"}
_RENT = {"number": 1, "amount": 250_000, "charge_at": "2027-01-31T06:00:00.000000Z"}

COMPONENTS: Mapping[str, Mapping[str, Any]] = {
    "ApiKey": {"name": "Till", "expires_at": None, "last_used_at": MOMENT, "last_used_address": "203.0.113.7"},
    "BalanceTransaction": {"type": "payment_captured"},
    "CallbackRegistration": {"outcome": "registered", "provider_code": "0", "sent_at": MOMENT},
    "CurrencyBalance": {"amount": 1_250_000, "reserved": 25_000, "available": 1_225_000},
    "Customer": {
        "metadata": {"seat": "window"},
        "address": {"line1": "Moi Avenue 1", "city": "Nairobi", "country": "KE"},
        "reference": "guest-77",
    },
    "Event": {"data": {"object": {"id": sample_id("payment"), "object": "payment", "state": "succeeded"}}},
    "OrderOfPayment": {"source": sample_id("order_source"), "id": "1042", "written": "paid"},
    "Order": {"id": "1042", "source": sample_id("order_source"), "status": "open", "is_payable": True}
    | {"discount": "10.00", "tax": "24.00"},
    "OrderLine": {"name": "Nasi goreng", "quantity": "2", "unit_price": "130.00", "discount": "10.00"}
    | {"discount_percent": None, "tax": None, "total": "250.00"},
    "OrderSource": {"name": "Lunch till", "database": "lunch", "schema": "pos", "mapping": None, "fault": None}
    | {"verified_at": MOMENT},
    "Dispute": {"state": "needs_response", "currency": "USD", "amount": 1250, "evidence_due_at": LATER}
    | {"reason": "not_received", "provider_id": "du_1SVx3Y2eZvKYlo2C", "provider_status": "needs_response"}
    | {"provider_reason": "product_not_received"},
    "LedgerBalance": {"kind": "provider_clearing"},
    "Payment": {"state": "succeeded", "method": "mpesa", "payer": "+2547•••••111", "customer": None}
    | {"saved_method": None, "store": None, "order": None}
    | {"description": None, "return_url": None, "expires_at": None}
    | {"attempts": [_attempt("mpesa", "ws_CO_20112026170506123711000111", "0")]}
    | {"fee": {"amount": 138, "net_amount": 24_862, "currency": "KES", "is_final": True}},
    "PaymentMethod": {"method": "mpesa", "channel": None, "name": "M-Pesa", "currencies": ["KES"], "expected_fee": 138}
    | {"requires": ["phone"], "next_actions": ["prompt"], "expires_in": 300}
    | {"manual_capture": False, "can_be_saved": False},
    "PaymentMethodLimit": {"least": 100, "most": 25_000_000},
    "ProviderAccount": {"name": "Paybill 600111", "options": {"shortcode": "600111"}},
    "ProviderAccountTest": {"result": "ok", "detail": "The provider accepts these credentials."},
    "Refund": {"state": "pending", "amount": 5000, "reason": "Dessert was cold", "origin": "api", "metadata": {}},
    "RequestLog": {"method": "POST", "address": "203.0.113.7"},
    "SavedMethod": {"state": "active", "provider": "stripe", "is_default": True, "card": _CARD, "return_url": None}
    | {"provider_id": "pm_1SVx3Y2eZvKYlo2C", "provider_status": "succeeded"},
    "Schedule": {"amount": 250_000, "next_period": _RENT, "notice_days": 3, "on_failure": "pause"}
    | {"reference": "rent-7", "description": None, "return_url": None},
    "SchedulePeriod": {**_RENT, "payment": None, "tries": [], "skipped_because": None},
    "DisplayToken": {"name": "Kitchen", "expires_at": LATER, "revoked_at": None},
    "Store": {"name": "Lunch counter", "zone": "Asia/Jakarta", "default_method": "qris", "metadata": {}},
    "Transaction": {"type": "payment", "state": "succeeded", "method": "mpesa"},
    "StaticCode": {"account": sample_id("provider_account"), "provider": "xendit", "reference": "counter 2"}
    | {"outcome": "active", "provider_id": "qr_61cb0000-0000-4000-8000-000000007781", "provider_code": "ACTIVE"}
    | {"qr_string": "00020101021126…6304A13A", "expires_at": None, "message": None},
    "UnallocatedReceipt": {"reference": "LUNCH", "payer": "2547•••••111", "store": None, "static_code": None},
    "WebhookAttempt": {"status": 200},
    "WebhookDelivery": {"state": "delivered", "finished_at": MOMENT},
    "WebhookDeliveryWithAttempts": {"state": "delivered", "finished_at": MOMENT},
    "WebhookEndpoint": {"description": "Till", "metadata": {}},
    "WebhookReplay": {"state": "running", "types": []},
}
"""What a component says otherwise than its properties' names would."""

CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}
PROMPT = {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": "+254711000111"}
_MPESA_CREDENTIALS = {
    "consumer_key": "from the provider's portal",
    "consumer_secret": "from the provider's portal",
    "passkey": "from the provider's portal",
    "initiator_name": "lango-operator",
    "initiator_password": "from the provider's portal",
}
_AGREED = {"customer": sample_id("customer"), "saved_method": sample_id("saved_method"), "currency": "KES"} | {
    "zone": "Africa/Nairobi",
    "starts_on": "2027-01-01",
}

_BAR = {
    "order": {"table": "tabs", "id": "tab_no", "total": "sum", "status": "paid_state", "state": "state"},
    "line": {"table": "drinks", "order": "tab_no", "name": "name", "quantity": "count", "unit_price": "price"},
    "currency": "KES",
    "amounts": "minor",
    "statuses": {"paid": "PAID", "refunded": "BACK", "expired": "OPEN"},
    "closed": ["void"],
}

REQUESTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "create_payment": {
        "M-Pesa prompt": PROMPT | {"reference": "order-1042"},
        "Card": CARD | {"return_url": "https://shop.example/thanks", "reference": "order-1043"},
        "Card, captured later": CARD | {"capture": "manual", "reference": "room-12"},
        "An order at a counter": PROMPT
        | {"store": sample_id("store"), "order": {"source": sample_id("order_source"), "id": "1042"}},
        "A saved card, its owner away": {"amount": 1250, "currency": "USD", "off_session": True}
        | {"saved_method": sample_id("saved_method")},
    },
    "create_saved_method": {
        "A card": {"customer": sample_id("customer"), "method": "card", "payment_method": "pm_card_visa"}
        | {"return_url": "https://shop.example/cards"},
    },
    "create_schedule": {
        "Rent on the last day of each month": _AGREED
        | {"amount": 250_000, "every": {"unit": "month", "day": 31}}
        | {"retries": [1, 3, 5], "notice_days": 3, "on_failure": "pause", "reference": "rent-7"},
        "A bill of another amount each week": _AGREED | {"every": {"unit": "week", "weekday": "friday"}, "count": 12},
    },
    "change_schedule": {
        "Another card": {"saved_method": sample_id("saved_method")},
        "More from the next period on": {"amount": 275_000},
    },
    "set_schedule_period_amount": {"This month's bill": {"amount": 250_000}},
    "capture_payment": {"All of it": {}, "Less than was held": {"amount": 1000}},
    "create_refund": {"All that is left": {}, "A part": {"amount": 500, "reason": "Dessert was cold"}},
    "simulate_payment": {"The payer pays": {"outcome": "succeed"}, "The payer is refused": {"outcome": "fail"}},
    "create_customer": {
        "A person": {"name": "Njeri Kamau", "phone": "+254711000111", "reference": "guest-77"},
        "A business": {"type": "business", "name": "Kamau Ltd", "email": "books@example.com"},
    },
    "change_customer": {"A new address for e-mail": {"email": "njeri@example.com"}},
    "create_webhook_endpoint": {
        "Every event": {"url": "https://shop.example/webhooks"},
        "Some": {"url": "https://shop.example/webhooks", "event_types": ["payment.succeeded", "refund.succeeded"]},
    },
    "change_webhook_endpoint": {"Slower": {"max_per_second": 10}, "Switched on again": {"is_enabled": True}},
    "replay_webhook_events": {
        "One event": {"event": sample_id("event")},
        "An hour": {"since": "2026-11-20T14:00:00Z", "until": "2026-11-20T15:00:00Z"},
    },
    "create_store": {"A counter": {"name": "Lunch counter", "zone": "Asia/Jakarta", "default_method": "qris"}},
    "change_store": {"Closed for now": {"is_enabled": False}},
    "create_display_token": {"For a screen": {"name": "Kitchen"}},
    "create_static_code": {"For a counter": {"account": sample_id("provider_account"), "reference": "counter 2"}},
    "rotate_display_token": {"A minute of overlap": {"overlap_seconds": 60}},
    "create_order_source": {
        "Our own POS schema": {"name": "Lunch till", "database": "lunch", "schema": "pos"},
        "Odoo": {"name": "Odoo", "database": "odoo", "schema": "erp"},
        "Tables of your own": {"name": "Bar", "database": "bar", "schema": "mapping", "mapping": _BAR},
    },
    "change_order_source": {"Switched off": {"is_enabled": False}},
    "create_api_key": {"For a till": {"name": "Till", "scopes": ["payments:read", "payments:write"]}},
    "rotate_api_key": {"As it is": {}, "A day of overlap": {"overlap_seconds": 86_400}},
    "create_provider_account": {
        "Cards": {
            "provider": "stripe",
            "name": "Cards",
            "host": "simulator",
            "credentials": {"secret_key": "sk_test_…", "webhook_secrets": ["whsec_…"]},
        },
        "M-Pesa": {
            "provider": "mpesa",
            "name": "Paybill 600111",
            "host": "simulator",
            "credentials": _MPESA_CREDENTIALS,
            "options": {"shortcode": "600111"},
        },
    },
    "change_provider_account": {"Asked first": {"priority": 10}},
    "rotate_provider_account_credentials": {
        "Cards": {"credentials": {"secret_key": "sk_test_…", "webhook_secrets": ["whsec_…"]}}
    },
    "assign_unallocated_receipt": {
        "To a payment that waits": {"payment": sample_id("payment")},
        "To a new one": {"new_payment": {"reference": "lunch-7"}},
    },
    "give_evidence": {
        "Staged": {"evidence": {"explanation": "The guest signed for the meal."}},
        "Submitted, for good": {"evidence": {"explanation": "The guest signed for the meal."}, "submit": True},
    },
}
"""By operation and title. An operation that is not here has an example of its required fields."""

_CARD_ID = "pi_3SVx3Y2eZvKYlo2C"
_PAID_BY_CARD = {"amount": 1250, "currency": "USD", "method": "card", "payer": None, "captured_amount": 1250} | {
    "attempts": [_attempt("stripe", _CARD_ID, "succeeded")],
    "fee": {"amount": 66, "net_amount": 1184, "currency": "USD", "is_final": True},
    "settlement": {"reference": "txn_3SVx3Y2eZvKYlo2C", "date": "2026-11-23", "is_settled": False},
}
_HELD: dict[str, Any] = _PAID_BY_CARD | {"captured_amount": 0, "fee": None, "settlement": None}
_WHY = {"code": "insufficient_funds", "message": "The card has insufficient funds."}
_DECLINE = _WHY | {"retryable": True}
_REFUSED = _attempt("stripe", _CARD_ID, "requires_payment_method", "failed") | {"failure": _WHY}
_WAITS: dict[str, Any] = {"state": "requires_action", "captured_amount": 0, "fee": None} | {
    "attempts": [_attempt("mpesa", "ws_CO_20112026170506123711000111", "0", "open")],
}

_UNSAVED: dict[str, Any] = {"card": None, "is_default": False, "provider_status": "requires_action"}
_BLIND: dict[str, Any] = {"card": _CARD | {"last4": None, "fingerprint": None}}
_TRY = {"number": 1, "payment": sample_id("payment"), "saved_method": sample_id("saved_method")}


def _tried(outcome: str, *, failure: Mapping[str, str] | None = None) -> dict[str, Any]:
    tried = _TRY | {"outcome": outcome, "failure": failure, "created_at": "2027-01-31T06:00:01.250000Z"}
    return {"payment": sample_id("payment"), "tries": [tried]}


_UNPAID: dict[str, Any] = {"captured_amount": 0, "fee": None, "attempts": _WAITS["attempts"]}

EVENTS: Mapping[str, Mapping[str, Any]] = {
    "api_key.expiring": {"expires_at": LATER, "expires_within_days": 7},
    "customer.erased": {"erased_at": LATER},
    "customer.merged": {"merged_into": "cus_01kag2p7d3e8ktz4v0m5w9x1yc"},
    "payment.authorized": _HELD,
    "payment.cancelled": _UNPAID,
    "payment.expired": _UNPAID,
    "payment.failed": _HELD | {"failure": _DECLINE, "attempts": [_REFUSED]},
    "payment.processing": _UNPAID,
    "payment.requires_action": _UNPAID | {"next_action": {"type": "prompt"}},
    "payment.underpaid": {"state": "processing", "captured_amount": 20_000, "fee": None, "underpaid": True},
    "receipt.assigned": {"reference": None, "payment": sample_id("payment")},
    "receipt.unallocated": {"reference": None, "payment": None},
    "refund.failed": {"failure": {"code": "provider_error", "message": "The provider could not refund it."}},
    **dict.fromkeys(("saved_method.active", "saved_method.made_default", "saved_method.updated"), _BLIND),
    "saved_method.detached": _BLIND | {"is_default": False},
    "saved_method.expired": _BLIND,
    "saved_method.expiring": _BLIND,
    "saved_method.failed": _UNSAVED | {"failure": _WHY},
    "saved_method.processing": _UNSAVED,
    "saved_method.requires_action": _UNSAVED | {"next_action": {"type": "redirect"}},
    "schedule.cancelled": {"next_period": None},
    "schedule.completed": {"next_period": None},
    "schedule_period.awaiting_amount": {"amount": None},
    "schedule_period.charging": _tried("open"),
    "schedule_period.failed": _tried("ended", failure=_WHY) | {"failure": _WHY},
    "schedule_period.paid": _tried("paid"),
    "schedule_period.requires_action": _tried("open"),
    "schedule_period.retrying": _tried("ended", failure=_WHY) | {"next_try_at": "2027-02-01T06:00:04.000000Z"},
    "schedule_period.skipped": {"skipped_because": "asked"},
    "webhook_endpoint.disabled": {"is_enabled": False, "disabled_because": "it answered 410"},
    "webhook_endpoint.failing": {"failing_since": MOMENT},
}
"""What an event's object says otherwise than the component's example, in the state that the event names."""

IMAGES = {
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 57 57">…</svg>',
    "image/png": "\u0089PNG…",
}

CSV: Mapping[str, str] = {
    "list_transactions": ",".join(api_transactions.CSV_HEADERS) + "\r\n",
    "list_balance_transactions": ",".join(api_balance.CSV_HEADERS) + "\r\n",
}

ABSENT = object()
_OF_THE_PERSON = ("state", "type", "name", "email", "phone", "address", "reference", "metadata", "merged_into")

ANSWERS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "create_payment": {
        "M-Pesa prompt": _WAITS | {"next_action": {"type": "prompt"}, "expires_at": LATER},
        "Card": _PAID_BY_CARD | {"reference": "order-1043"},
        "Card, captured later": _HELD | {"state": "authorized", "capture": "manual", "reference": "room-12"},
        "A saved card, its owner away": _PAID_BY_CARD
        | {"reference": None, "saved_method": sample_id("saved_method"), "customer": sample_id("customer")},
        "Declined": _HELD | {"state": "failed", "failure": _DECLINE, "attempts": [_REFUSED]},
    },
    "capture_payment": {"Captured": _PAID_BY_CARD | {"capture": "manual", "reference": "room-12"}},
    "cancel_payment": {"Cancelled": _WAITS | {"state": "cancelled"}},
    "simulate_payment": {"Not yet heard of": _WAITS | {"next_action": {"type": "prompt"}}},
    "detach_saved_method": {"Given up": {"state": "detached", "is_default": False}},
    "pause_schedule": {"Paused": {"state": "paused"}},
    "cancel_schedule": {"Cancelled": {"state": "cancelled", "next_period": None}},
    "skip_schedule_period": {"Skipped": {"state": "skipped", "skipped_because": "asked"}},
    "create_api_key": {"Shown once": {"secret": "sk_test_7Qd2…4242"}},
    "rotate_api_key": {"Shown once": {"secret": "sk_test_7Qd2…4242"}},
    "change_store": {"Closed for now": {"is_enabled": False}},
    "change_order_source": {"Switched off": {"is_enabled": False}},
    "create_display_token": {"Shown once": {"secret": "display_test_7qd2…4242"}},
    "rotate_display_token": {"Shown once": {"secret": "display_test_7qd2…4242"}},
    "create_webhook_endpoint": {"Shown once": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
    "rotate_webhook_secret": {
        "Shown once": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "earlier_secrets_until": LATER}
    },
    "disable_provider_account": {"Disabled": {"is_enabled": False}},
    "assign_unallocated_receipt": {"Assigned": {"state": "assigned", "payment": sample_id("payment")}},
    "accept_dispute": {"Lost": {"state": "lost"}},
    "erase_customer": {"What is left": dict.fromkeys(_OF_THE_PERSON, ABSENT) | {"erased_at": LATER}},
}
"""By operation and title: what this answer says otherwise than the component's example."""
