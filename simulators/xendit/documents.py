"""Codes, invoices and refunds as Xendit shows them."""

from __future__ import annotations

from simulators.xendit.books import JSON, Code, CodePayment, Invoice, Refund, second, stamp, status_of
from simulators.xendit.words import SUCCEEDED

ECHOED = ("payer_email", "description", "items", "fees", "success_redirect_url", "failure_redirect_url", "metadata")
NOT_CALLED_BACK = ("customer", "metadata")


def code_document(code: Code) -> JSON:
    if code.version == 1:
        return {
            "id": code.id,
            "external_id": code.reference,
            "amount": code.amount,
            "qr_string": code.qr_string,
            "callback_url": code.callback_url,
            "type": "STATIC" if code.amount is None else "DYNAMIC",
            "status": code.status,
            "created": stamp(code.made),
            "updated": stamp(code.made),
        }
    return {
        "id": code.id,
        "reference_id": code.reference,
        "business_id": code.business,
        "type": "STATIC" if code.amount is None else "DYNAMIC",
        "currency": "IDR",
        "amount": code.amount,
        "channel_code": code.channel,
        "status": code.status,
        "qr_string": code.qr_string,
        "expires_at": None if code.amount is None else second(code.expires),
        "created": stamp(code.made),
        "updated": stamp(code.made),
        "basket": None,
        "metadata": code.metadata,
    }


def payment_document(code: Code, payment: CodePayment) -> JSON:
    told = code_document(code) if code.version == 2 else {}
    shared = {name: told[name] for name in told if name not in ("id", "updated", "status", "amount", "created")}
    return shared | {
        "id": payment.id,
        "business_id": code.business,
        "currency": "IDR",
        "amount": payment.amount,
        "status": SUCCEEDED,
        "created": stamp(payment.made),
        "qr_id": code.id,
        "qr_string": code.qr_string,
        "reference_id": code.reference,
        "description": "",
        "payment_detail": {
            "receipt_id": payment.id[-12:],
            "source": "GOPAY",
            "name": None,
            "account_details": None,
        },
    }


def first_version_callback(code: Code, payment: CodePayment) -> JSON:
    """Everything at the top, the code inside, and another word for success."""
    return {
        "event": "qr.payment",
        "id": payment.id,
        "amount": payment.amount,
        "created": stamp(payment.made),
        "qr_code": {
            "id": code.id,
            "external_id": code.reference,
            "qr_string": code.qr_string,
            "type": "STATIC" if code.amount is None else "DYNAMIC",
        },
        "status": "COMPLETED",
    }


def invoice_document(invoice: Invoice, origin: str) -> JSON:
    told: JSON = {
        "id": invoice.id,
        "external_id": invoice.reference,
        "user_id": invoice.business,
        "status": status_of(invoice),
        "merchant_name": "Warung Contoh",
        "merchant_profile_picture_url": "https://shop.example/logo.png",
        "amount": invoice.amount,
        "currency": "IDR",
        "expiry_date": stamp(invoice.expires),
        "invoice_url": f"{origin}/_simulator/invoice/{invoice.id}",
        "available_banks": [],
        "available_retail_outlets": [],
        "available_ewallets": [],
        "available_qr_codes": [{"qr_code_type": "QRIS"}],
        "available_direct_debits": [],
        "available_paylaters": [],
        "should_exclude_credit_card": False,
        "should_send_email": bool(invoice.asked.get("should_send_email")),
        "created": stamp(invoice.made),
        "updated": stamp(invoice.updated),
    }
    told |= {name: invoice.asked[name] for name in (*ECHOED, "customer") if name in invoice.asked}
    if invoice.paid:
        told |= {"paid_amount": invoice.amount, "paid_at": stamp(invoice.paid), "payment_method": "QR_CODE"}
    return told


def invoice_callback(invoice: Invoice) -> JSON:
    """Flat, without an envelope."""
    told: JSON = {
        "id": invoice.id,
        "external_id": invoice.reference,
        "user_id": invoice.business,
        "status": status_of(invoice),
        "is_high": False,
        "merchant_name": "Warung Contoh",
        "amount": invoice.amount,
        "currency": "IDR",
        "created": stamp(invoice.made),
        "updated": stamp(invoice.updated),
    }
    told |= {name: invoice.asked[name] for name in ECHOED if name in invoice.asked and name not in NOT_CALLED_BACK}
    if invoice.paid:
        told |= {
            "paid_amount": invoice.amount,
            "paid_at": stamp(invoice.paid),
            "payment_method": "QR_CODE",
            "payment_channel": "QRIS",
            "payment_id": invoice.payment,
            "payment_details": {"source": "DANA", "receipt_id": ""},
        }
    return told


def refund_document(refund: Refund) -> JSON:
    """A refund of a code's payment names both amounts, one of an invoice its own."""
    shared: JSON = {
        "id": refund.id,
        "status": refund.status,
        "currency": "IDR",
        "channel_code": "ID_DANA",
        "reference_id": refund.reference or None,
        "reason": refund.reason,
        "failure_code": refund.failure or None,
        "created": stamp(refund.made),
        "updated": stamp(refund.made),
    }
    if refund.receipt.startswith("qrpy_"):
        return shared | {"qrpy_id": refund.receipt, "qr_id": refund.payment, "refund_amount": refund.amount}
    return shared | {
        "invoice_id": refund.payment,
        "payment_id": f"py-{refund.payment}",
        "payment_method_type": "QR_CODE",
        "amount": refund.amount,
        "country": "ID",
        "refund_fee_amount": 0,
        "metadata": None,
    }
