"""The customer's phone: whatever code is on a screen is read, shown and paid, and nothing else is."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
import requests

from simulators.qris import crc, element, read
from tests.simulators.midtrans import MidtransWire
from tests.simulators.xendit import XenditWire


@pytest.fixture
def midtrans(running, receiver):
    wire = MidtransWire(running.url("midtrans"), receiver.url)
    wire.post("reset")
    wire.settings(callback_retries=[])
    return wire


@pytest.fixture
def phone(running, midtrans):
    """The phone may be anybody's: this one is found at Stripe's address. No screen shows a code of another test."""
    for name in ("xendit", "ipaymu", "bayarind"):
        requests.post(f"{running.url(name)}/_simulator/reset", timeout=10)
    return Phone(f"{running.url('stripe')}/_simulator/scan")


class Phone:
    def __init__(self, url):
        self.url = url

    def scan(self, text=""):
        answer = requests.get(f"{self.url}?{urlencode({'code': text})}" if text else self.url, timeout=10)
        assert answer.status_code == 200
        return words(answer)

    def press(self, text, outcome, **more):
        answer = requests.post(self.url, data={"code": text, "outcome": outcome, **more}, timeout=10)
        assert answer.status_code == 200
        return words(answer)


def words(answer):
    body = answer.text.partition("<main")[2]
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]*>", " ", body.partition(">")[2]))).strip()


def sealed(text):
    return f"{text}6304{crc(text + '6304')}"


def rewritten(code, **changes):
    """The code with other values, under a checksum that fits."""
    elements, place = [], 0
    while code[place : place + 2] != "63":
        name, length = code[place : place + 2], int(code[place + 2 : place + 4])
        elements.append((name, changes.get(f"_{name}", code[place + 4 : place + 4 + length])))
        place += 4 + length
    return sealed("".join(element(name, value) for name, value in elements if value is not None))


def test_a_code_is_shown_with_its_merchant_and_amount_and_paid(midtrans, phone):
    charged = midtrans.charged(45_500)
    code = charged["qr_string"]
    assert "Pay WARUNG CONTOH? Rp 45.500 WARUNG CONTOH, BANDUNG by Midtrans" in phone.scan(code)
    assert phone.press(code, "succeed").startswith("QRIS simulated phone Nothing to pay Rp 45.500")
    assert "Midtrans says that it is over: settlement." in phone.scan(code)
    assert midtrans.status(charged["transaction_id"]).json()["transaction_status"] == "settlement"


@pytest.mark.parametrize(("outcome", "state"), [("fail", "deny"), ("expire", "expire")])
def test_it_is_declined_or_left_alone(midtrans, phone, outcome, state):
    code = midtrans.charged(45_500)["qr_string"]
    assert f"Midtrans says that it is over: {state}." in phone.press(code, outcome)
    assert "That was not possible" in phone.press(code, "succeed")


def test_where_nobody_hears_of_a_payer_who_declines_the_phone_says_so(running, receiver, phone):
    wire = XenditWire(running.url("xendit"), receiver.url)
    code = wire.coded()["qr_string"]
    assert "Xendit tells nobody of that: it can still be paid." in phone.press(code, "fail")
    assert "Xendit says that it is over: INACTIVE." in phone.press(code, "succeed")


def test_every_code_that_waits_on_a_screen_is_there_to_be_picked(midtrans, phone):
    assert "No code is shown anywhere." in phone.scan()
    code = midtrans.charged(45_500)["qr_string"]
    page = requests.get(phone.url, timeout=10).text
    (link,) = re.findall(r'href="/_simulator/scan(\?code=[^"]+)"', page)
    assert "Pay WARUNG CONTOH?" in words(requests.get(phone.url + unescape(link), timeout=10))
    phone.press(code, "succeed")
    assert "No code is shown anywhere." in phone.scan()


def test_a_code_that_is_none_or_nobodys_is_not_paid(midtrans, phone):
    code = midtrans.charged(45_500)["qr_string"]
    assert "It is no QRIS code: its checksum is wrong." in phone.scan(code[:-4] + "0000")
    assert "It is no QRIS code: its checksum is wrong." in phone.scan("hello")
    assert "It is no QRIS code: it breaks off." in phone.scan(sealed("000201" + "5999WARUNG"))
    assert "it is not a code of Indonesia" in phone.scan(rewritten(code, _58="SG"))
    dearer = rewritten(code, _54="99999")
    for told in (phone.scan(dearer), phone.press(dearer, "succeed")):
        assert "Rp 99.999" in told
        assert "Nobody here has issued this code." in told
    assert "Pay WARUNG CONTOH?" in phone.press(code, "explode")


def test_what_a_code_says_is_text_and_never_markup(midtrans, phone):
    code = rewritten(midtrans.charged(45_500)["qr_string"], _59="<script>alert(1)</script>")
    page = requests.get(f"{phone.url}?{urlencode({'code': code})}", timeout=10).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_code_without_an_amount_is_paid_with_what_is_typed(running, receiver, phone):
    wire = XenditWire(running.url("xendit"), receiver.url)
    wire.post("reset")
    made = wire.coded(type="STATIC", amount=None)
    code = made["qr_string"]
    assert read(code).amount is None
    assert "Any amount" in phone.scan(code)
    for typed in ("", "0", "1.5", "-3", "1e3", "²", "99999999999999"):
        assert "type an amount in whole rupiah" in phone.press(code, "succeed", amount=typed)
    phone.press(code, "succeed", amount="12500")
    paid = wire.get(f"/qr_codes/{made['id']}/payments").json()["data"]
    assert [payment["amount"] for payment in paid] == [12_500]


def test_amounts_are_read_as_they_are_written():
    assert read(sealed(_code("54", "45500"))).amount == "45500"
    assert read(sealed(_code("54", "45500.50"))).amount == "45500.50"
    for odd in ("4,5", "", "-1", "1" * 11, "1.505"):
        with pytest.raises(ValueError, match="its amount is none"):
            read(sealed(_code("54", odd)))


def _code(name, value):
    given = {"00": "01", "53": "360", "54": None, "58": "ID", "59": "WARUNG", "60": "BANDUNG"} | {name: value}
    return "".join(element(at, told) for at, told in given.items() if told is not None)
