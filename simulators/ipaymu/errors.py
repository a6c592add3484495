"""iPaymu's refusals. Source: content/docs and the Postman collection; what is not written there is chosen."""

from __future__ import annotations

from simulators.server import Answer


class IpaymuError(Exception):
    """`{"Status", "Message"}`, with `Error`, a list of Indonesian sentences per field, where a field is wrong."""

    def __init__(self, status: int, message: str, **fields: str) -> None:
        super().__init__(message)
        self.status, self.message, self.fields = status, message, fields

    def answer(self, http_status: int | None = None) -> Answer:
        """Under its own status as HTTP's, unless another one is given."""
        body: dict[str, object] = {"Status": self.status, "Message": self.message}
        if self.fields:
            body["Error"] = {name: [sentence] for name, sentence in self.fields.items()}
        return Answer.of_json(body, http_status or self.status)


def invalid(**fields: str) -> IpaymuError:
    return IpaymuError(400, "error - invalid request", **fields)


def missing(*names: str) -> IpaymuError:
    return invalid(**{name: f"{name} wajib diisi." for name in names})


def unauthorized() -> IpaymuError:
    return IpaymuError(401, "unauthorized")


def unknown_transaction() -> IpaymuError:
    return IpaymuError(404, "transaction not found")
