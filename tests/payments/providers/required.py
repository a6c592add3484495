"""What each provider must be able to do here, whatever its adapter declares. A new provider is one row of REQUIRED.

`lacking` compares it with the declarations; `may_skip` says which skips of the contract it leaves room for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from core.providers import Door, Lookup, Proof, Replay
from payments.providers.base import Kind, PaymentProvider

CAN_BE_ASKED = frozenset({Lookup.BY_ID, Lookup.BY_REFERENCE, Lookup.LISTING})
SIGNED = Door(Proof.WEAK, signed=True)
HINT = Door(Proof.WEAK)
"""Not even signed: only where the addresses of the company vouch for it."""
PROOF = Door(Proof.FULL)
DECIDES = Door(Proof.FULL, wants_answer=True)


@dataclass(frozen=True, kw_only=True)
class Required:
    """`methods` are the writes that each method must have, `channels` what there must be to choose from.

    `asked` are the writes whose outcome must be found by a question that is answered at once, `repeated` those that may
    be sent again. `proves` says that the company can be asked whether a callback is its own, `known_for` how long it
    knows a key. `lists` is what must be in its statements, `arrivals` money that comes by itself, `untold_declines` the
    methods whose declines nobody is told of. `options` are names of account options, `tried` tests of what no
    declaration can say.
    """

    methods: Mapping[str, frozenset[Kind]]
    doors: Mapping[str, Door]
    refunds: str
    asked: frozenset[Kind]
    repeated: frozenset[Kind] = frozenset()
    channels: Mapping[str, frozenset[str]] | None = None
    manual_capture: frozenset[str] = frozenset()
    saving: frozenset[str] = frozenset()
    proves: bool = False
    reports_cost: bool = False
    lists: frozenset[str] = frozenset()
    arrivals: bool = False
    untold_declines: frozenset[str] = frozenset()
    known_for: timedelta | None = None
    options: frozenset[str] = frozenset()
    tried: tuple[str, ...] = ()


CREATE, CONFIRM, CAPTURE, CANCEL, REFUND = Kind.CREATE, Kind.CONFIRM, Kind.CAPTURE, Kind.CANCEL, Kind.REFUND

REQUIRED: Mapping[str, Required] = {
    "stripe": Required(
        methods={"card": frozenset({CREATE, CONFIRM, CAPTURE, CANCEL, REFUND, Kind.EVIDENCE, Kind.ACCEPT})},
        doors={"events": PROOF},
        refunds="partial",
        asked=frozenset({CREATE, CONFIRM, CAPTURE, CANCEL, REFUND}),
        repeated=frozenset({CREATE, CONFIRM, CAPTURE, CANCEL, REFUND}),
        manual_capture=frozenset({"card"}),
        saving=frozenset({"card"}),
        reports_cost=True,
        lists=frozenset({"capture", "refund", "withdrawn", "reinstated"}),
        known_for=timedelta(hours=24),
        tried=("test_three_d_secure_sends_the_payer_to_a_page_and_hides_the_client_secret",),
    ),
    "mpesa": Required(
        methods={"mpesa": frozenset({CREATE, REFUND, Kind.LOOKUP})},
        doors={
            **dict.fromkeys(("prompt", "reversal", "status", "receipt", "confirmation"), HINT),
            "validation": Door(Proof.WEAK, wants_answer=True),
        },
        refunds="full",
        asked=frozenset({CREATE}),
        lists=frozenset({"capture"}),
        arrivals=True,
        options=frozenset({"source_addresses", "transaction_status_words"}),
        tried=(
            "test_both_shapes_of_a_pending_answer_mean_that_the_payer_is_still_waited_for",
            "test_a_till_is_paid_through_its_store",
        ),
    ),
    "midtrans": Required(
        methods=dict.fromkeys(("qris", "ewallet"), frozenset({CREATE, CANCEL, REFUND})),
        channels={"ewallet": frozenset({"gopay"})},
        doors={"notifications": SIGNED},
        refunds="partial",
        asked=frozenset({CREATE, CANCEL, REFUND}),
        repeated=frozenset({CREATE, CANCEL, REFUND}),
        known_for=timedelta(minutes=5),
        lists=frozenset({"capture", "refund"}),
        options=frozenset({"source_addresses", "status_words"}),
        tried=(
            "test_lines_are_whole_rupiah_and_sum_to_the_amount",
            "test_lines_that_do_not_add_up_are_taken_with_one_more_for_the_rest",
            "test_the_golden_signature_is_accepted_and_covers_neither_status_nor_type",
            "test_cancel_is_cancel_until_its_time_is_over",
            "test_the_key_is_repeated_for_less_than_five_minutes",
            "test_every_status_has_its_word",
        ),
    ),
    "paypal": Required(
        methods={"paypal": frozenset({CREATE, CONFIRM, CAPTURE, CANCEL, REFUND})},
        doors={"events": SIGNED},
        refunds="partial",
        asked=frozenset({CREATE, CONFIRM, CAPTURE, CANCEL, REFUND}),
        repeated=frozenset({CREATE, CONFIRM, CAPTURE, CANCEL, REFUND}),
        manual_capture=frozenset({"paypal"}),
        saving=frozenset({"paypal"}),
        proves=True,
        reports_cost=True,
        lists=frozenset({"capture", "refund"}),
        known_for=timedelta(hours=6),
        options=frozenset({"source_addresses", "order_words", "capture_words", "authorization_words", "refund_words"}),
        tried=(
            "test_an_approval_is_no_money",
            "test_the_golden_vector_is_what_is_signed",
            "test_paypal_says_of_a_callback_whether_it_is_its_own",
            "test_each_status_of_a_capture_has_its_word",
        ),
    ),
    "xendit": Required(
        methods={"qris": frozenset({CREATE, REFUND}), "hosted_page": frozenset({CREATE, CANCEL, REFUND})},
        doors={"notifications": SIGNED},
        refunds="partial",
        asked=frozenset({CREATE, CANCEL, REFUND}),
        repeated=frozenset({CANCEL}),
        reports_cost=True,
        untold_declines=frozenset({"qris", "hosted_page"}),
        lists=frozenset({"capture", "refund"}),
        options=frozenset({"source_addresses", "code_words", "payment_words", "invoice_words", "refund_words"}),
        tried=(
            "test_every_call_about_codes_names_the_version",
            "test_xendits_own_simulation_pays_it",
            "test_a_callback_with_somebody_elses_token_is_refused",
            "test_what_is_settled_is_what_was_paid",
            "test_money_that_comes_after_the_end_is_told",
        ),
    ),
    "bayarind": Required(
        methods=dict.fromkeys(("virtual_account", "qris", "ewallet"), frozenset({CREATE, CANCEL})),
        doors={"flag": DECIDES, "transfer": DECIDES},
        untold_declines=frozenset({"virtual_account", "qris", "ewallet"}),
        refunds="none",
        asked=frozenset({CREATE}),
        repeated=frozenset({CREATE, CANCEL}),
        options=frozenset({"source_addresses", "service_codes", "flag_words", "status_words"}),
        tried=(
            "test_the_insert_is_the_documented_one_with_its_golden_auth_code",
            "test_the_golden_flag_is_believed_and_says_what_was_paid",
            "test_the_answer_decides_in_bayarinds_words",
            "test_an_account_that_lacks_a_code_sends_nothing",
            "test_money_for_a_bill_that_has_expired_there_is_asked_about_too",
        ),
    ),
    "ipaymu": Required(
        methods=dict.fromkeys(("qris", "virtual_account", "retail", "hosted_page"), frozenset({CREATE})),
        doors=dict.fromkeys(("notifications", "page-notifications"), SIGNED),
        refunds="none",
        asked=frozenset({CREATE}),
        reports_cost=True,
        options=frozenset({"source_addresses", "status_words"}),
        tried=(
            "test_a_call_is_signed_over_the_very_bytes_of_its_body",
            "test_the_signature_of_a_callback_is_that_of_its_fields_in_order",
            "test_a_direct_payment_says_that_the_merchant_bears_the_fee",
            "test_a_callback_that_says_paid_moves_nothing_where_the_query_disagrees",
            "test_every_status_has_its_word",
        ),
    ),
}


def lacking(required: Required, provider: type[PaymentProvider[Any, Any]]) -> set[str]:
    """What the adapter's declarations lack, as `field: value`. More than is required is no lack."""
    declared = provider.capabilities
    operations, methods = declared.operations, declared.methods
    channels = {name: set(method.channels) for name, method in methods.items()}
    held = {name for name, method in methods.items() if method.manual_capture}
    wanted = {
        "methods": set(required.methods) - set(methods),
        "operations": {kind for kinds in required.methods.values() for kind in kinds} - set(operations),
        "channels": {
            channel
            for method, wished in (required.channels or {}).items()
            for channel in wished - channels.get(method, set())
        },
        "doors": {name for name, door in required.doors.items() if not _believes(declared.doors.get(name), door)},
        "refunds": {required.refunds}
        - ({declared.refunds, "full"} if declared.refunds == "partial" else {declared.refunds}),
        "asked": {
            kind for kind in required.asked if kind in operations and operations[kind].lookup not in CAN_BE_ASKED
        },
        "repeated": {
            kind for kind in required.repeated if kind in operations and operations[kind].replay is Replay.NONE
        },
        "manual_capture": required.manual_capture - held,
        "saving": required.saving - (declared.saving.methods if declared.saving else frozenset()),
        "proves": {"prove"} if required.proves and provider.prove is PaymentProvider.prove else set(),
        "reports_cost": {"cost"} if required.reports_cost and not declared.reports_cost else set(),
        "lists": required.lists
        - ({kind.value for kind in declared.statements.kinds} if declared.statements else set()),
        "arrivals": {"doors by a call"} if required.arrivals and not declared.registers_doors else set(),
        "known_for": {"key"} if required.known_for not in (None, operations[CREATE].key_lifetime) else set(),
        "options": required.options - {field.name for field in fields(provider.options_type)},
    }
    return {f"{name}: {value}" for name, values in wanted.items() for value in values}


def _believes(declared: Door | None, wanted: Door) -> bool:
    """At least as much as is wanted. A weak door must not call itself full proof either."""
    if declared is None or declared.proof is not wanted.proof:
        return False
    return declared.signed >= wanted.signed and declared.wants_answer == wanted.wants_answer


Rule = Callable[[Required, str, str], bool]
SKIPS: Mapping[str, Rule] = {
    # What there is cannot be tried for its absence.
    r"declares \w+|can be asked about a \w+|reports what a capture costs|keeps methods|is told of declines": (
        lambda required, method, kind: True
    ),
    r"is not told of declines": lambda required, method, kind: method in required.untold_declines,
    r"does not declare (\w+)(?: for \w+)?": lambda required, method, kind: kind not in required.methods.get(method, ()),
    r"nobody has to approve it first": lambda required, method, kind: CONFIRM not in required.methods.get(method, ()),
    r"does not report what a capture costs": lambda required, method, kind: not required.reports_cost,
    r"lists no refunds": lambda required, method, kind: "refund" not in required.lists,
    r"refunds no parts": lambda required, method, kind: required.refunds != "partial",
    r"is not asked": lambda required, method, kind: kind not in required.asked,
    r"has no key": lambda required, method, kind: kind not in required.repeated,
    r"registers nothing|every weak callback belongs to an operation|nothing is told of there": (
        lambda required, method, kind: not required.arrivals
    ),
    r"keeps no methods": lambda required, method, kind: not required.saving,
    r"its payer agrees or does not; nobody refuses": lambda required, method, kind: method == "paypal",
}
"""Every reason for which the contract may skip a test, and when it may: by the method and kind that were tried."""


def may_skip(name: str, method: str, reason: str, kind: str = CREATE) -> bool:
    """Whether the contract of that provider, tried by that method, may skip a test for that reason.

    `kind` is what the test was about where the reason does not say it. A reason that SKIPS does not know is none.
    """
    for pattern, allows in SKIPS.items():
        if found := re.fullmatch(pattern, reason):
            about = found.group(1) if found.re.groups else kind
            return allows(REQUIRED[name], method, about)
    return False
