"""The published `xendit-python` against the simulator, with nothing but its address changed."""

import pytest
import xendit
from xendit.apis import BalanceApi, InvoiceApi, RefundApi, TransactionApi
from xendit.invoice.model.create_invoice_request import CreateInvoiceRequest
from xendit.refund.model.create_refund import CreateRefund

from tests.simulators.conftest import until
from tests.simulators.xendit import SECRET_KEY, XenditWire


@pytest.fixture
def wire(running, receiver):
    wire = XenditWire(running.url("xendit"), receiver.url)
    wire.post("reset")
    wire.settings(webhook_url=wire.callback_url, refund_seconds=0.05)
    return wire


@pytest.fixture
def client(wire):
    xendit.set_api_key(SECRET_KEY)
    client = xendit.ApiClient()
    client.configuration.host = wire.url
    return client


def invoice(client, reference="ORD-1", **more):
    return InvoiceApi(client).create_invoice(CreateInvoiceRequest(external_id=reference, amount=45500.0, **more))


def test_the_library_makes_an_invoice_and_sees_it_paid(client, wire):
    invoices = InvoiceApi(client)
    made = invoice(client, payer_email="siti@example.test", description="Order", invoice_duration=900.0)
    assert (str(made.status), made.amount, made.external_id) == ("PENDING", 45500.0, "ORD-1")
    assert [found.id for found in invoices.get_invoices(external_id="ORD-1")] == [made.id]
    wire.simulate(reference="ORD-1", outcome="approve")
    assert str(invoices.get_invoice_by_id(made.id).status) == "PAID"
    wire.simulate(reference="ORD-1", outcome="settle")
    assert str(invoices.get_invoice_by_id(made.id).status) == "SETTLED"


def test_the_library_ends_an_invoice(client):
    made = invoice(client)
    assert str(InvoiceApi(client).expire_invoice(made.id).status) == "EXPIRED"


def test_the_library_refunds_and_finds_the_refund(client, wire):
    made, refunds = invoice(client), RefundApi(client)
    wire.simulate(reference="ORD-1", outcome="approve")
    asked = CreateRefund(invoice_id=made.id, amount=5000.0, reference_id="RF-1", reason="REQUESTED_BY_CUSTOMER")
    first = refunds.create_refund(idempotency_key="k1", create_refund=asked)
    assert refunds.create_refund(idempotency_key="k1", create_refund=asked).id == first.id
    until(lambda: refunds.get_refund(first.id).status == "SUCCEEDED")
    assert [found.reference_id for found in refunds.get_all_refunds(invoice_id=made.id).data] == ["RF-1"]


def test_the_library_reads_what_a_payment_cost_and_what_is_left(client, wire):
    invoice(client)
    wire.simulate(reference="ORD-1", outcome="approve")
    transactions = TransactionApi(client)
    [found] = transactions.get_all_transactions(reference_id="ORD-1").data
    assert (found.amount, found.fee.xendit_fee, found.fee.value_added_tax) == (45500.0, 318.5, 35.03)
    assert transactions.get_transaction_by_id(str(found.id)).product_id == found.product_id
    assert BalanceApi(client).get_balance().balance == 45500.0


def test_the_library_raises_its_own_error(client):
    for call, status, code in (
        (lambda: InvoiceApi(client).get_invoice_by_id("none"), "404", "INVOICE_NOT_FOUND_ERROR"),
        (lambda: invoice(client, payer_email="nobody"), "400", "EMAIL_FORMAT_ERROR"),
    ):
        with pytest.raises(xendit.XenditSdkException) as refused:
            call()
        assert (refused.value.status, refused.value.errorCode) == (status, code)


def test_the_library_is_told_of_a_wrong_key(client, wire):
    xendit.set_api_key("xnd_development_unknown")
    stranger = xendit.ApiClient()
    stranger.configuration.host = wire.url
    with pytest.raises(xendit.XenditSdkException) as refused:
        BalanceApi(stranger).get_balance()
    assert refused.value.errorCode == "INVALID_API_KEY"
