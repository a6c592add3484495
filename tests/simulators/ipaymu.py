"""iPaymu as a caller meets it: JSON, signed with the API key over the bytes of the body."""

import hashlib
import hmac
import itertools
import json

from tests.simulators.conftest import DEADLINE, Control

VA, API_KEY = "1179000000000001", "lango-simulator-ipaymu-key"
OTHER = ("1179000000000002", "lango-simulator-ipaymu-key-2")
DIRECT, PAGE = "POST /api/v2/payment/direct", "POST /api/v2/payment"

_references = itertools.count(1)


class IpaymuWire(Control):
    def __init__(self, url, receiver_url):
        super().__init__(url)
        self.callback_url = f"{receiver_url}/cb/k/9f2c0d"

    def call(self, path, body, *, va=VA, api_key=API_KEY, timeout=DEADLINE, raw=None, **headers):
        sent = json.dumps(body, separators=(",", ":")).encode() if raw is None else raw
        text = f"POST:{va}:{hashlib.sha256(sent).hexdigest()}:{api_key}"
        signed = {
            "Content-Type": "application/json",
            "va": va,
            "signature": hmac.new(api_key.encode(), text.encode(), hashlib.sha256).hexdigest(),
            "timestamp": "20260301090000",
        }
        return self.http.post(f"{self.url}/api/v2/{path}", data=sent, headers=signed | headers, timeout=timeout)

    def direct_body(self, amount=25000, method="qris", channel="mpm", reference=None, **more):
        return {
            "name": "Siti",
            "phone": "081200001111",
            "email": "siti@example.test",
            "amount": amount,
            "notifyUrl": self.callback_url,
            "referenceId": reference or f"REF-{next(_references)}",
            "paymentMethod": method,
            "paymentChannel": channel,
        } | more

    def direct(self, *given, timeout=DEADLINE, **more):
        return self.call("payment/direct", self.direct_body(*given, **more), timeout=timeout)

    def created(self, *given, **more):
        answer = self.direct(*given, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["Data"]

    def page_body(self, **more):
        return {
            "product": ["Nasi goreng", "Es teh"],
            "qty": [2, 1],
            "price": [20000, 5600],
            "returnUrl": "https://shop.example/back",
            "notifyUrl": self.callback_url,
            "cancelUrl": "https://shop.example/back",
            "referenceId": f"REF-{next(_references)}",
        } | more

    def page(self, **more):
        answer = self.call("payment", self.page_body(**more))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def checked(self, number, **options):
        return self.call("transaction", {"transactionId": str(number)}, **options)

    def status(self, number):
        return self.checked(number).json()["Data"]["Status"]

    def history(self, **asked):
        return self.call("history", asked).json()["Data"]
