"""Midtrans' refusals. Source: docs.midtrans.com/reference, code-2xx, code-4xx."""

from __future__ import annotations

import uuid

from simulators.server import Answer


class MidtransError(Exception):
    """`{"status_code", "status_message", "id"}`, with `validation_messages` where a field is wrong."""

    def __init__(self, code: str, message: str, *validation: str) -> None:
        super().__init__(message)
        self.code, self.message, self.validation = code, message, validation

    def answer(self, http_status: int | None = None) -> Answer:
        """Under its own code as HTTP's, unless another one is given."""
        body: dict[str, object] = {"status_code": self.code, "status_message": self.message, "id": str(uuid.uuid4())}
        if self.validation:
            body["validation_messages"] = list(self.validation)
        return Answer.of_json(body, http_status or int(self.code))


def invalid(message: str) -> MidtransError:
    return MidtransError("400", "One or more parameters in the payload is invalid.", message)


def unauthorized() -> MidtransError:
    return MidtransError("401", "Transaction cannot be authorized with the current client/server key.")


def not_enabled() -> MidtransError:
    return MidtransError("402", "Merchant doesn't have access for this payment type.")


def unknown_transaction() -> MidtransError:
    return MidtransError("404", "Transaction doesn't exist.")


def duplicate_order() -> MidtransError:
    return MidtransError("406", "The request could not be completed due to a conflict: order_id was used before.")


def duplicate_refund() -> MidtransError:
    return MidtransError("406", "Duplicate refund ID")


def wrong_type(name: str) -> MidtransError:
    return MidtransError("408", f"Wrong data type: {name}")


def cannot_modify() -> MidtransError:
    return MidtransError("412", "Merchant cannot modify the status of the transaction")


def malformed() -> MidtransError:
    return MidtransError("413", "The request cannot be processed due to malformed syntax in the request body.")


def refund_rejected(why: str) -> MidtransError:
    return MidtransError("414", f"Refund request is rejected: {why}")


def still_running() -> MidtransError:
    """No failure: the same key is at work."""
    return MidtransError("202", "A request with the same idempotency key is being processed.")
