"""Bayarind's SNAP variant on the wire: signed calls, numbers that are good once, a code for each service."""

import base64
import hashlib
import itertools
import json

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tests.simulators.bayarind import KEY
from tests.simulators.conftest import DEADLINE, Control, until

PREFIX = "/api/v1.0/transfer-va"
PASS_APP = "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9"
NOW = "2026-03-01T09:00:00+07:00"
ACCOUNT = {"partnerServiceId": "   12345", "customerNo": "00000000117", "virtualAccountNo": "   1234500000000117"}

_numbers = itertools.count(1)


class SnapWire(Control):
    def __init__(self, url):
        super().__init__(url)
        pem = self.http.get(f"{url}/_simulator/keys", timeout=DEADLINE).json()
        self.private = serialization.load_pem_private_key(pem["merchant_private_key"].encode(), None)
        self.public = serialization.load_pem_public_key(pem["bayarind_public_key"].encode())

    def call(self, method, path, document, *, spoil=None, pass_app=PASS_APP, space=None, **headers):
        """The code of the answer, and the answer; `space` writes the body with needless space, signed without it."""
        document = document | {"additionalInfo": {"passApp": pass_app, **document.get("additionalInfo", {})}}
        bare = json.dumps(document, separators=(",", ":")).encode()
        digest = hashlib.sha256(bare).hexdigest()
        text = f"{method}:{PREFIX}/{path}:{digest}:{NOW}"
        signed = self.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        sent = {
            "Content-Type": "application/json",
            "X-TIMESTAMP": NOW,
            "X-SIGNATURE": base64.b64encode(signed).decode(),
            "X-PARTNER-ID": "TOKOEXVA01",
            "X-EXTERNAL-ID": str(next(_numbers)),
            "CHANNEL-ID": "1021",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = spoil or (json.dumps(document, indent=space).encode() if space else bare)
        answer = self.http.request(method, f"{self.url}{PREFIX}/{path}", data=body, headers=sent, timeout=DEADLINE)
        assert answer.status_code == 200
        return answer.json()["responseCode"], answer.json()

    def body(self, number="INV1", **changes):
        return {
            **ACCOUNT,
            "virtualAccountName": "Siti Aminah",
            "trxId": number,
            "totalAmount": {"value": "125000.00", "currency": "IDR"},
            "expiredDate": "2036-03-01T09:00:00+07:00",
        } | changes

    def create(self, number="INV1", **changes):
        return self.call("POST", "create-va", self.body(number, **changes))

    def about(self, number="INV1"):
        return {**ACCOUNT, "additionalInfo": {"trxId": number}}


@pytest.fixture
def wire(running, receiver):
    wire = SnapWire(running.url("bayarind"))
    wire.post("reset")
    wire.settings(snap_url=f"{receiver.url}/transfer", callback_retries=[])
    return wire


def test_an_account_is_created_asked_about_and_deleted(wire):
    code, told = wire.create()
    assert (code, told["virtualAccountData"]["additionalInfo"]) == ("2002700", {"insertId": "99001234"})
    assert told["virtualAccountData"]["virtualAccountNo"] == "   1234500000000117"
    code, told = wire.call("POST", "status", wire.about())
    assert (code, told["additionalInfo"]["trxStatus"]) == ("2002600", "03")
    assert wire.call("DELETE", "delete-va", wire.about())[0] == "2003100"
    assert wire.call("DELETE", "delete-va", wire.about())[0] == "4043104"
    assert wire.call("DELETE", "delete-va", wire.about("INV2"))[0] == "4043101"
    assert wire.call("POST", "status", wire.about("INV2"))[0] == "4042601"


def test_a_number_is_taken_once(wire):
    wire.create()
    assert wire.create()[0] == "4092701"
    assert len(wire.entries()) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"partnerServiceId": "   54321", "virtualAccountNo": "   5432100000000117"}, "4042716"),
        ({"partnerServiceId": "12345", "virtualAccountNo": "1234500000000117"}, "4002701"),
        ({"partnerServiceId": "12345   ", "virtualAccountNo": "12345   00000000117"}, "4002701"),
        ({"virtualAccountNo": "1234500000000117"}, "4002701"),
        ({"virtualAccountNo": None}, "4002702"),
        ({"totalAmount": {"value": "125000", "currency": "IDR"}}, "4002701"),
        ({"totalAmount": {"value": "9.00", "currency": "IDR"}}, "4002701"),
        ({"totalAmount": {"value": "125000.00"}}, "4002702"),
        ({"expiredDate": "2036-03-01 09:00:00"}, "4002701"),
        ({"billDetails": [{"billDescription": {"english": "x" * 19}}]}, "4002701"),
    ],
)
def test_what_is_wrong_has_its_own_code(wire, changes, code):
    assert wire.create(**changes)[0] == code
    assert wire.entries() == []


def test_signature_pass_app_and_channel_must_fit(wire):
    body = wire.body()
    assert wire.call("POST", "create-va", body, pass_app="0" * 64)[0] == "4012700"
    assert wire.call("POST", "create-va", body, spoil=b"{}")[0] == "4012700"
    assert wire.call("POST", "create-va", body, X_TIMESTAMP="2026-03-01T09:00:01+07:00")[0] == "4012700"
    assert wire.call("POST", "create-va", body, X_PARTNER_ID="TOKOEXVA09")[0] == "4012700"
    assert wire.call("POST", "create-va", body, space=2)[0] == "2002700"


def test_an_external_number_is_good_once_a_day(wire):
    assert wire.call("POST", "status", wire.about(), X_EXTERNAL_ID="7")[0] == "4042601"
    assert wire.call("POST", "status", wire.about(), X_EXTERNAL_ID="7")[0] == "4092600"
    assert wire.call("POST", "status", wire.about(), X_EXTERNAL_ID="seven")[0] == "4002601"


def test_a_payment_is_signed_over_the_path_that_the_setting_names(wire, receiver):
    wire.create()
    wire.settings(snap_signed_path="/pay/v1.0/transfer-va/payment")
    wire.simulate(reference="INV1", outcome="approve")
    [(_, headers, body)] = until(lambda: list(receiver.received))
    told = json.loads(body)
    assert (told["trxId"], told["paidAmount"]) == ("INV1", {"value": "125000.00", "currency": "IDR"})
    assert told["additionalInfo"]["passApp"] == hashlib.sha256(KEY.encode()).hexdigest() == PASS_APP
    bare = hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()
    text = f"POST:/pay/v1.0/transfer-va/payment:{bare}:{headers['X-TIMESTAMP']}"
    signature = base64.b64decode(headers["X-SIGNATURE"])
    wire.public.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_trouble_of_an_amount_comes_once_for_each_number(wire):
    amount = {"totalAmount": {"value": "66602.00", "currency": "IDR"}}
    with pytest.raises(requests.ConnectionError):
        wire.create(**amount)
    assert wire.create(**amount)[0] == "4092701"
