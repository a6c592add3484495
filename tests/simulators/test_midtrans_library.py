"""The published `midtransclient` against the simulator, with nothing but its address changed."""

import midtransclient
import pytest
from midtransclient.error_midtrans import MidtransAPIError

from tests.simulators.conftest import until
from tests.simulators.midtrans import SERVER_KEY, MidtransWire


@pytest.fixture
def wire(running, receiver):
    wire = MidtransWire(running.url("midtrans"), receiver.url)
    wire.post("reset")
    wire.settings(bank_confirm_seconds=0.05)
    return wire


@pytest.fixture
def client(wire):
    client = midtransclient.CoreApi(server_key=SERVER_KEY)
    client.api_config.CORE_SANDBOX_BASE_URL = wire.url
    client.api_config.custom_headers = {"X-Override-Notification": wire.callback_url}
    return client


def charge(client, order, amount=45500, kind="qris", **more):
    details = {"order_id": order, "gross_amount": amount}
    return client.charge({"payment_type": kind, "transaction_details": details} | more)


def test_the_library_charges_asks_and_refunds(client, wire):
    items = [{"id": "SKU1", "price": 45500, "quantity": 1, "name": "Nasi goreng"}]
    charged = charge(client, "ORD-1", item_details=items, qris={"acquirer": "gopay"})
    assert (charged["status_code"], charged["transaction_status"]) == ("201", "pending")
    assert client.transactions.status("ORD-1")["status_code"] == "201"
    wire.simulate(reference="ORD-1", outcome="approve")
    assert client.transactions.status(charged["transaction_id"])["transaction_status"] == "settlement"
    part = client.transactions.refund("ORD-1", {"refund_key": "RF-1", "amount": 5000, "reason": "out of stock"})
    assert (part["transaction_status"], part["refund_amount"]) == ("partial_refund", "5000.00")
    rest = client.transactions.refundDirect("ORD-1", {"refund_key": "RF-2", "amount": 40500})
    assert (rest["transaction_status"], rest["refund_amount"]) == ("refund", "45500.00")


def test_the_library_cancels_and_takes_407_for_the_success_of_an_expiry(client):
    for order in ("ORD-1", "ORD-2"):
        charge(client, order, kind="gopay")
    assert client.transactions.cancel("ORD-1")["transaction_status"] == "cancel"
    assert client.transactions.expire("ORD-2")["status_code"] == "407"


def test_the_library_asks_about_what_a_notification_tells(client, wire, receiver):
    charge(client, "ORD-1")
    wire.simulate(reference="ORD-1", outcome="approve")
    news = until(lambda: [told for told in receiver.documents() if told["transaction_status"] == "settlement"])[0]
    assert client.transactions.notification(news)["transaction_status"] == "settlement"


@pytest.mark.parametrize(("layer", "http"), [("both", 404), ("body", 200)])
def test_the_library_raises_its_own_error_for_a_failure_in_either_layer(client, wire, layer, http):
    wire.settings(error_layer=layer)
    with pytest.raises(MidtransAPIError) as missing:
        client.transactions.status("none")
    assert missing.value.http_status_code == http
    assert missing.value.api_response_dict["status_code"] == "404"
    charge(client, "ORD-1")
    for order, code in (("ORD-1", "406"), ("ORD 2", "400")):
        with pytest.raises(MidtransAPIError) as refused:
            charge(client, order)
        assert refused.value.api_response_dict["status_code"] == code
    client.api_config.server_key = "SB-Mid-server-unknown"
    with pytest.raises(MidtransAPIError) as stranger:
        charge(client, "ORD-3")
    assert stranger.value.api_response_dict["status_code"] == "401"
