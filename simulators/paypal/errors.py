"""PayPal's error answers. Source: PayPal's OpenAPI files (error_400 to error_500 and the issues of each call)."""

from __future__ import annotations

import random
from typing import Any

from simulators.server import Answer

JSON = dict[str, Any]
HEX = "0123456789abcdef"
NAMES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: ("AUTHENTICATION_FAILURE", "Authentication failed due to missing or invalid authentication credentials."),
    403: ("NOT_AUTHORIZED", "Authorization failed due to insufficient permissions."),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    405: ("METHOD_NOT_SUPPORTED", "The server does not implement the requested HTTP method."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The server does not support the request payload's media type."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error has occurred."),
}


class PaypalError(Exception):
    """An answer `{"name", "message", "debug_id", "details": [{"issue", "description", "field"}], "links"}`.

    `said` is a name and a message in place of the usual ones of that status.
    """

    def __init__(
        self,
        status: int,
        issue: str = "",
        description: str = "",
        *,
        field: str = "",
        page: str = "",
        said: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(issue or NAMES[status][0])
        self.status, self.issue, self.page, self.said = status, issue, page, said
        self.detail = {"issue": issue, "description": description or issue.replace("_", " ").capitalize() + "."}
        if field:
            self.detail |= {"field": field, "location": "body"}

    def answer(self) -> Answer:
        name, message = self.said or NAMES[self.status]
        debug_id = new_debug_id()
        body: JSON = {"name": name, "message": message, "debug_id": debug_id}
        if self.issue:
            help_page = f"https://developer.paypal.com/docs/api/orders/v2/#error-{self.issue}"
            body["details"] = [self.detail]
            body["links"] = [{"href": help_page, "rel": "information_link", "method": "GET"}]
            if self.page:
                body["links"].append({"href": self.page, "rel": "redirect", "method": "GET"})
        return Answer.of_json(body, self.status, {"Paypal-Debug-Id": debug_id})


def new_debug_id() -> str:
    return "f" + "".join(random.choices(HEX, k=12))


def missing(field: str) -> PaypalError:
    return PaypalError(400, "MISSING_REQUIRED_PARAMETER", "A required field is missing.", field=field)


def invalid(field: str, issue: str = "INVALID_PARAMETER_VALUE") -> PaypalError:
    return PaypalError(400, issue, "The value of a field is invalid.", field=field)


def not_found() -> PaypalError:
    return PaypalError(404, "INVALID_RESOURCE_ID", "Specified resource ID does not exist.")


def refused(issue: str, *, field: str = "", page: str = "") -> PaypalError:
    return PaypalError(422, issue, field=field, page=page)
