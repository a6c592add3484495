"""Xendit as a caller meets it: plain JSON over HTTP, the secret key as user."""

import itertools

from tests.simulators.conftest import DEADLINE, Control

SECRET_KEY = "xnd_development_lango-simulator"
OTHER_KEY = "xnd_development_lango-simulator-2"
LIVE_KEY = "xnd_production_lango-simulator"
TOKEN = "lango-simulator-callback-token"
VERSION = "2022-07-31"

_orders = itertools.count(1)


class XenditWire(Control):
    def __init__(self, url, receiver_url):
        super().__init__(url)
        self.callback_url = f"{receiver_url}/cb/notifications"

    def call(
        self, path, body=None, *, secret_key=SECRET_KEY, method="POST", version=VERSION, timeout=DEADLINE, **headers
    ):
        sent = {"Accept": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if version:
            sent["api-version"] = version
        return self.http.request(
            method, self.url + path, json=body, headers=sent, auth=(secret_key, ""), timeout=timeout
        )

    def get(self, path, **options):
        return self.call(path, method="GET", **options)

    def code_body(self, amount=45500, **changes):
        body = {"reference_id": f"ORD-{next(_orders)}", "type": "DYNAMIC", "currency": "IDR", "amount": amount}
        return {name: value for name, value in (body | changes).items() if value is not None}

    def code(self, amount=45500, *, timeout=DEADLINE, secret_key=SECRET_KEY, **changes):
        return self.call("/qr_codes", self.code_body(amount, **changes), timeout=timeout, secret_key=secret_key)

    def coded(self, *given, **more):
        answer = self.code(*given, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def invoice(self, amount=45500, *, timeout=DEADLINE, **changes):
        body = {"external_id": f"ORD-{next(_orders)}", "amount": amount, "currency": "IDR"} | changes
        kept = {name: value for name, value in body.items() if value is not None}
        return self.call("/v2/invoices", kept, timeout=timeout, version="")

    def invoiced(self, *given, **more):
        answer = self.invoice(*given, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def paid_code(self, *given, **more):
        """The code and its payment."""
        code = self.coded(*given, **more)
        self.simulate(id=code["id"], outcome="approve")
        return code, self.get(f"/qr_codes/{code['id']}/payments").json()["data"][0]

    def paid_invoice(self, *given, **more):
        id = self.invoiced(*given, **more)["id"]
        self.simulate(id=id, outcome="approve")
        return id

    def refund(self, invoice, *, key=None, **body):
        headers = {"Idempotency_Key": key} if key else {}
        return self.call("/refunds", {"invoice_id": invoice, "reason": "OTHERS"} | body, version="", **headers)
