"""Xendit's static codes: the contract, then which code may be shown, and what counts as money on it."""

import json
from typing import ClassVar

import pytest

from core.http import Response
from core.money import Money
from core.providers import NothingCreated, OutcomeUnknown
from payments.providers import xendit_static_codes as codes
from payments.providers.base import MoneyMoved, ReceiptKind, Word
from payments.providers.static_codes import CodeMoney, CodeQuestion
from payments.providers.xendit_reading import Words
from tests.contracts.static_codes import StaticCodeContract

REFERENCE = "7H2KQ9ZP4XWDCOUNTER2000000"
STATIC = (
    "00020101021126670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI51440014ID.CO.QRIS.WWW0215"
    "ID10200999900170303UMI5204581253033605802ID5913WARUNG CONTOH6007BANDUNG61054011563040717"
)
DYNAMIC = (
    "00020101021226670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI51440014ID.CO.QRIS.WWW0215"
    "ID10200999900170303UMI5204581253033605405455005802ID5913WARUNG CONTOH6007BANDUNG61054011562190108ORD-77810703A01"
    "630424A8"
)
CODE = {
    "id": "qr_61cb",
    "reference_id": REFERENCE,
    "type": "STATIC",
    "currency": "IDR",
    "amount": None,
    "status": "ACTIVE",
    "qr_string": STATIC,
    "expires_at": None,
}
PAYMENT = {"id": "qrpy_1", "qr_id": "qr_61cb", "currency": "IDR", "amount": 45500, "status": "SUCCEEDED"}
ITEM = {
    "product_id": "qrpy_1",
    "reference_id": REFERENCE,
    "type": "PAYMENT",
    "status": "SUCCESS",
    "cashflow": "MONEY_IN",
    "currency": "IDR",
    "amount": 45500,
}


class TestContract(StaticCodeContract):
    name = "xendit"
    credentials: ClassVar = {
        "secret_key": "xnd_development_lango-simulator",
        "callback_token": "lango-simulator-callback-token",
    }
    refused_credentials: ClassVar = {"secret_key": "xnd_development_of-somebody-else"}

    def pay(self, control, code_id, money):
        control.post("simulate", id=code_id, outcome="approve", amount=int(money.major()))


def answer(told, status=200):
    return Response(status, {}, json.dumps(told).encode(), 0.01)


def created(livemode=True, http_status=200, **changes):
    return codes.read_created_code(REFERENCE, Words(), answer(CODE | changes, http_status), livemode=livemode)


def moved(number, amount=4_550_000):
    return MoneyMoved(ReceiptKind.CAPTURE, Money(amount, "IDR"), number)


def test_a_code_is_asked_for_without_an_amount_and_without_an_end():
    assert codes.static_code("R1", "ID_LINKAJA") == {
        "reference_id": "R1",
        "type": "STATIC",
        "currency": "IDR",
        "channel_code": "ID_LINKAJA",
    }


def test_a_static_code_is_shown():
    report = created()
    assert (report.word, report.provider_id) == (Word.REQUIRES_ACTION, "qr_61cb")
    assert report.next_action == {"type": "qr", "qr_string": STATIC}


@pytest.mark.parametrize(
    "changes",
    [
        {"qr_string": DYNAMIC, "amount": 45500},
        {"qr_string": DYNAMIC},
        {"qr_string": STATIC[:-4] + "0000"},
        {"qr_string": "https://pay.example/qr"},
        {"type": "DYNAMIC"},
        {"amount": 45500},
        {"currency": "PHP"},
        {"status": "INACTIVE"},
        {"status": "PAUSED"},
    ],
)
def test_a_code_that_is_not_as_it_was_asked_for_is_shown_to_nobody(changes):
    report = created(**changes)
    assert (report.word, report.next_action) == (Word.UNKNOWN, None)


def test_in_test_mode_the_text_need_not_be_a_code_but_no_other_code():
    assert created(livemode=False, qr_string="some-random-qr-string").word is Word.REQUIRES_ACTION
    assert created(livemode=False, qr_string=DYNAMIC).word is Word.UNKNOWN


def test_an_answer_about_another_code_or_of_another_shape_says_nothing():
    for changes in ({"reference_id": "somebody-elses"}, {"id": None}, {"status": 1}, {"qr_string": ""}):
        with pytest.raises(OutcomeUnknown):
            created(**changes)
    for told in ({}, {"error_code": "SERVER_ERROR"}):
        with pytest.raises(OutcomeUnknown):
            codes.read_created_code(REFERENCE, Words(), answer(told, 500), livemode=True)
    with pytest.raises(OutcomeUnknown):
        codes.read_created_code(REFERENCE, Words(), Response(409, {}, b"<html>", 0.01), livemode=True)


def test_that_there_is_one_already_is_a_refusal():
    with pytest.raises(NothingCreated) as refused:
        created(http_status=409, error_code="DUPLICATE_ERROR")
    assert refused.value.provider_code == "DUPLICATE_ERROR"


# Money


def asked(told, *, money_id="", more=None):
    """What is read of the first page, and how the transactions were asked."""
    questions = []

    def transactions(by):
        questions.append(dict(by))
        return {"data": more or []}

    question = CodeQuestion("qr_61cb", REFERENCE, money_id)
    return codes.read_money(question, Words(), transactions, answer(told)), questions


def test_what_has_succeeded_is_money_and_a_try_is_none():
    told = [PAYMENT, PAYMENT | {"id": "qrpy_2", "status": "PENDING"}, PAYMENT | {"id": "qrpy_3", "status": "FAILED"}]
    assert asked({"data": told, "has_more": False}) == (CodeMoney((moved("qrpy_1"),)), [])


@pytest.mark.parametrize(
    "strange",
    [
        {"status": "SETTLING"},
        {"amount": "45500"},
        {"amount": 45500.5},
        {"currency": "USD"},
        {"id": None},
        {"qr_id": "qr_another"},
    ],
)
def test_what_nobody_can_read_is_counted_and_does_not_hide_the_others(strange):
    told = [PAYMENT | {"id": "qrpy_0"} | strange, PAYMENT]
    assert asked({"data": told, "has_more": False})[0] == CodeMoney((moved("qrpy_1"),), 1)


def test_beyond_the_first_page_money_is_asked_for_by_its_number():
    first = {"data": [PAYMENT | {"id": "qrpy_0"}], "has_more": True}
    found, questions = asked(first, money_id="qrpy_1", more=[ITEM])
    assert found == CodeMoney((moved("qrpy_0"), moved("qrpy_1")))
    assert questions == [{"product_id": "qrpy_1", "limit": "50"}]
    assert asked(first, money_id="qrpy_0")[1] == []


def test_without_a_number_the_newest_are_asked_for_by_our_reference():
    found, questions = asked({"data": [], "has_more": True}, more=[ITEM])
    assert found == CodeMoney((moved("qrpy_1"),))
    assert questions == [{"reference_id": REFERENCE, "limit": "50"}]


@pytest.mark.parametrize(
    ("changes", "unreadable"),
    [
        ({"reference_id": "another"}, 0),
        ({"type": "REFUND"}, 0),
        ({"status": "PENDING"}, 0),
        ({"cashflow": "MONEY_OUT"}, 0),
        ({"amount": None}, 1),
        ({"product_id": ""}, 1),
    ],
)
def test_a_transaction_that_is_no_money_under_our_reference_is_none(changes, unreadable):
    found, _ = asked({"data": [], "has_more": True}, more=[ITEM | changes])
    assert found == CodeMoney((), unreadable)


def test_a_list_of_another_shape_says_nothing():
    for told in ({}, {"data": "none"}, {"data": [1]}):
        with pytest.raises(OutcomeUnknown):
            asked(told)
