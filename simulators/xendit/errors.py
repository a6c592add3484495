"""Xendit's refusals: `{"error_code", "message"}`, with `errors` where a field is wrong."""

from __future__ import annotations

from simulators.server import Answer


class XenditError(Exception):
    def __init__(self, status: int, code: str, message: str, *paths: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.paths = status, code, message, paths

    def answer(self) -> Answer:
        body: dict[str, object] = {"error_code": self.code, "message": self.message}
        if self.paths:
            body["errors"] = [{"path": path, "message": self.message} for path in self.paths]
        return Answer.of_json(body, self.status)


def invalid(path: str, message: str) -> XenditError:
    return XenditError(400, "API_VALIDATION_ERROR", f"{path} {message}", path)


def malformed() -> XenditError:
    return XenditError(400, "INVALID_JSON_FORMAT", "The request body is no JSON object")


def unauthorized() -> XenditError:
    return XenditError(401, "INVALID_API_KEY", "API key format is invalid")


def not_in_test_mode() -> XenditError:
    return XenditError(403, "REQUEST_FORBIDDEN_ERROR", "Payments are simulated with keys of the test mode only")


def not_found(what: str) -> XenditError:
    return XenditError(404, "DATA_NOT_FOUND", f"{what} was not found")


def unknown_invoice() -> XenditError:
    return XenditError(404, "INVOICE_NOT_FOUND_ERROR", "Could not find invoice")


def by_code(status: int, code: str) -> XenditError:
    return XenditError(status, code, f"Refused with {code}")
