"""Midtrans as a caller meets it: plain JSON over HTTP, the server key as user."""

import itertools

from tests.simulators.conftest import DEADLINE, Control

SERVER_KEY = "SB-Mid-server-lango-simulator"
OTHER_KEY = "SB-Mid-server-lango-simulator-2"
CHARGE = "POST /v2/charge"
REFUND = "POST /v2/{id}/refund"

_orders = itertools.count(1)


class MidtransWire(Control):
    def __init__(self, url, receiver_url):
        super().__init__(url)
        self.callback_url = f"{receiver_url}/cb/k/9f2c0d"

    def call(self, path, body=None, *, key=None, server_key=SERVER_KEY, method="POST", timeout=DEADLINE, **headers):
        sent = {"Accept": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if key:
            sent["Idempotency-Key"] = key
        return self.http.request(
            method, self.url + path, json=body, headers=sent, auth=(server_key, ""), timeout=timeout
        )

    def charge_body(self, amount=45500, kind="qris", order=None, **more):
        details = {"order_id": order or f"ORD-{next(_orders)}", "gross_amount": amount}
        return {"payment_type": kind, "transaction_details": details} | more

    def charge(self, amount=45500, kind="qris", order=None, *, key=None, timeout=DEADLINE, notify=True, **more):
        headers = {"X_Override_Notification": self.callback_url} if notify else {}
        return self.call(
            "/v2/charge", self.charge_body(amount, kind, order, **more), key=key, timeout=timeout, **headers
        )

    def charged(self, *given, **more):
        answer = self.charge(*given, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def paid(self, *given, **more):
        id = self.charged(*given, **more)["transaction_id"]
        self.simulate(id=id, outcome="approve")
        return id

    def status(self, id, **options):
        return self.call(f"/v2/{id}/status", method="GET", **options)

    def refund(self, id, path="refund", *, key=None, timeout=DEADLINE, **body):
        return self.call(f"/v2/{id}/{path}", body or None, key=key, timeout=timeout)
