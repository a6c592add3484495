"""Daraja's synchronous refusals. Source: developer.safaricom.co.ke, the error table of each API page."""

from __future__ import annotations

import random

from simulators.server import Answer

HEX = "0123456789abcdef"


class MpesaError(Exception):
    """An answer `{"requestId", "errorCode", "errorMessage"}`; the HTTP status is the code's first part."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.status = status or int(code[:3])

    def answer(self) -> Answer:
        body = {"requestId": new_request_id(), "errorCode": self.code, "errorMessage": self.message}
        return Answer.of_json(body, self.status)


def new_request_id() -> str:
    """Hexadecimal words with dashes and a number at the end, as in `8c1d-4a7b-9e0f-55aa66bb77cc1020304`."""
    words = ["".join(random.choices(HEX, k=length)) for length in (4, 4, 4, 12)]
    return "-".join(words) + str(random.randint(1_000_000, 9_999_999))


def invalid(field: str) -> MpesaError:
    return MpesaError("400.002.02", f"Bad Request - Invalid {field}")


def wrong_credentials() -> MpesaError:
    return MpesaError("500.001.1001", "[MerchantValidate] - Wrong credentials")


def no_merchant() -> MpesaError:
    return MpesaError("500.001.1001", "Merchant does not exist")


def locked_subscriber() -> MpesaError:
    return MpesaError(
        "500.001.1001",
        "Unable to lock subscriber, a transaction is already in process for the current subscriber",
    )


def being_processed() -> MpesaError:
    return MpesaError("500.001.1001", "The transaction is being processed")
