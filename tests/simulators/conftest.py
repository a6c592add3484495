"""Simulators on free ports, clients for their wire, and a receiver for their callbacks. No Django."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

import simulators

KEY = "sk_test_lango_simulator"
PASSKEY = "lango-simulator-passkey-600111"
STORE_PASSKEY = "lango-simulator-passkey-600333"
TIMESTAMP = "20261120140506"
DEADLINE = 5.0


def until(found, seconds=DEADLINE):
    """The first true value of `found()`, within the deadline."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


class Receiver:
    """Keeps every callback that it is sent; `statuses` are its next answers, then 200."""

    def __init__(self):
        self.received = []
        self.statuses = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.received.append((self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def documents(self):
        return [json.loads(body) for _, _, body in list(self.received)]

    def wait(self, count):
        until(lambda: len(self.received) >= count)
        return self.documents()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Control:
    """The `/_simulator/` side of one simulator."""

    def __init__(self, url):
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False

    def post(self, what, **values):
        return self.http.post(f"{self.url}/_simulator/{what}", json=values, timeout=DEADLINE)

    def settings(self, **values):
        answer = self.post("settings", **values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def trouble(self, **values):
        answer = self.post("trouble", **values)
        assert answer.status_code == 200, answer.text

    def simulate(self, **values):
        answer = self.post("simulate", **values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self, reference=None):
        query = {"reference": reference} if reference else {}
        return self.http.get(f"{self.url}/_simulator/ledger", params=query, timeout=DEADLINE).json()

    def entries(self, reference=None):
        return self.ledger(reference)["entries"]


class StripeWire(Control):
    """Plain form posts, so that nothing of the published library is between the test and the wire."""

    def post_form(self, path, data=None, key=None, secret=KEY, timeout=DEADLINE, **headers):
        headers = {"Authorization": f"Bearer {secret}", "Stripe-Version": "2023-08-16"} | headers
        if key:
            headers["Idempotency-Key"] = key
        return self.http.post(self.url + path, data=data or {}, headers=headers, timeout=timeout)

    def get(self, path, secret=KEY, **query):
        headers = {"Authorization": f"Bearer {secret}", "Stripe-Version": "2023-08-16"}
        return self.http.get(self.url + path, params=query, headers=headers, timeout=DEADLINE)

    def delete(self, path):
        return self.http.delete(self.url + path, headers={"Authorization": f"Bearer {KEY}"}, timeout=DEADLINE)

    def pay(self, card="pm_card_visa", amount=12500, key=None, timeout=DEADLINE, **more):
        data = {"amount": amount, "currency": "usd", "payment_method_types[]": "card", "confirm": "true"}
        return self.post_form("/v1/payment_intents", data | {"payment_method": card} | more, key=key, timeout=timeout)

    def webhook(self, receiver, *events):
        data = {"url": f"{receiver.url}/hook", "enabled_events[]": list(events) or ["*"]}
        return self.post_form("/v1/webhook_endpoints", data).json()


class MpesaWire(Control):
    """Daraja as a caller meets it, with a token fetched on first use."""

    def __init__(self, url, receiver_url):
        super().__init__(url)
        self.callback_url = f"{receiver_url}/cb/k/9f2c0d"
        self.token = ""

    def fetch_token(self, key="lango-simulator-key", secret="lango-simulator-secret"):
        query = {"grant_type": "client_credentials"}
        return self.http.get(f"{self.url}/oauth/v1/generate", params=query, auth=(key, secret), timeout=DEADLINE)

    def call(self, path, body, timeout=DEADLINE):
        self.token = self.token or self.fetch_token().json()["access_token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.post(self.url + path, json=body, headers=headers, timeout=timeout)

    def push_body(self, **changes):
        short_code = changes.get("BusinessShortCode", "600111")
        passkey = STORE_PASSKEY if short_code == "600333" else PASSKEY
        phone = changes.get("PhoneNumber", "254711000111")
        body = {
            "BusinessShortCode": short_code,
            "Password": base64.b64encode(f"{short_code}{passkey}{TIMESTAMP}".encode()).decode(),
            "Timestamp": TIMESTAMP,
            "TransactionType": "CustomerPayBillOnline",
            "Amount": 250,
            "PartyA": phone,
            "PartyB": "600111",
            "PhoneNumber": phone,
            "CallBackURL": self.callback_url,
            "AccountReference": "INV-20417",
            "TransactionDesc": "Order 20417",
        }
        body |= changes
        return {name: value for name, value in body.items() if value is not None}

    def push(self, timeout=DEADLINE, **changes):
        return self.call("/mpesa/stkpush/v1/processrequest", self.push_body(**changes), timeout)

    def query(self, id, **changes):
        push = self.push_body()
        body = {name: push[name] for name in ("BusinessShortCode", "Password", "Timestamp")}
        return self.call("/mpesa/stkpushquery/v1/query", body | {"CheckoutRequestID": id} | changes)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def running():
    with simulators.start() as running:
        yield running


@pytest.fixture
def stripe_wire(running):
    wire = StripeWire(running.url("stripe"))
    wire.post("reset")
    wire.settings(refund_seconds=0.1, processing_seconds=0.1, balance_seconds=0.05, trouble_seconds=0.15)
    return wire


@pytest.fixture
def mpesa_wire(running, receiver):
    wire = MpesaWire(running.url("mpesa"), receiver.url)
    wire.post("reset")
    wire.settings(approve_seconds=0.05, result_seconds=0.02, trouble_seconds=0.15, late_success_seconds=0.1)
    return wire
