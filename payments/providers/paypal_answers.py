"""PayPal's answers, and what each of them proves. Sources: developer.paypal.com/api/rest/responses and the answers 4xx
of PayPal's OpenAPI files. Everything that is not listed here proves nothing.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from core.crypto import Secret
from core.http import HttpFault, Request, Response
from core.providers import (
    AccessToken,
    Misconfigured,
    NothingCreated,
    OutcomeUnknown,
    ProviderFault,
    TokenRejected,
    Unreachable,
    json_object,
)
from payments.providers import paypal_reading as reading
from payments.providers import paypal_words as words
from payments.providers.failures import FailureCode
from payments.providers.reports import Report, Word

DONE = (200, 201)
NO_CONTENT = 204
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 401, 403, 404, 429
_REFUSING = (400, 403, 404, 422)
_BAD_CLIENT = (400, 401)
_SHAPE = (KeyError, TypeError, AttributeError, ValueError, IndexError)
_INVALID = {"INVALID_REQUEST": 400, "UNSUPPORTED_MEDIA_TYPE": 415}

Read = Callable[[Mapping[str, Any]], Report]


def access_token(
    *, base_url: str, client_id: Secret, client_secret: Secret, send: Callable[[Request], Response]
) -> AccessToken:
    """A new token; those before it live on. Raises Unreachable or Misconfigured."""
    pair = base64.b64encode(f"{client_id.reveal()}:{client_secret.reveal()}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
    request = Request("POST", f"{base_url}/v1/oauth2/token", headers, b"grant_type=client_credentials")
    try:
        response = send(request)
    except (HttpFault, ProviderFault) as fault:
        # Also where the answer was lost: what was to be done with the token has not begun.
        raise Unreachable(f"no access token: {fault}") from fault
    answer = _document(response)
    if response.status in _BAD_CLIENT and answer.get("error") in ("invalid_client", "unauthorized_client"):
        raise Misconfigured("PayPal refuses the client id or its secret", provider_code=str(answer["error"]))
    try:
        value, seconds = reading.text(answer["access_token"]), answer["expires_in"]
        if response.status in DONE and type(seconds) is int and seconds > 0:
            return AccessToken(Secret(value), timedelta(seconds=seconds))
    except (KeyError, ValueError, OverflowError):
        pass
    raise Unreachable(f"no access token: answer {response.status}")


def read(response: Response, read: Read) -> Report:
    """What a write came to. Raises NothingCreated for what is listed, OutcomeUnknown for all the rest."""
    if response.status not in DONE:
        raise refusal(response)
    return _read(response, read)


def read_fetched(response: Response, read: Read) -> Report:
    """A question that is refused says nothing of what it asked about."""
    if response.status == UNAUTHORIZED:
        raise refusal(response)
    if response.status not in DONE:
        raise OutcomeUnknown(f"answer {response.status} to a question")
    return _read(response, read)


def _read(response: Response, read: Read) -> Report:
    try:
        return read(json_object(response.body))
    except _SHAPE as error:
        raise OutcomeUnknown(f"answer {response.status} of an unknown shape") from error


def _document(response: Response) -> Mapping[str, Any]:
    """Empty for anything but a JSON object."""
    try:
        return json_object(response.body)
    except ValueError:
        return {}


def issue_of(response: Response) -> str:
    """The first issue of a refusal; else its name; empty where it is none of PayPal's."""
    answer = _document(response)
    details = answer.get("details")
    issues = (
        [detail.get("issue") for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    )
    named = [str(issue) for issue in (*issues, answer.get("name"), answer.get("error")) if issue]
    return named[0][:100] if named and response.status not in DONE else ""


def refusal(response: Response) -> NothingCreated | OutcomeUnknown:
    """What an answer that is no success proves."""
    status, issue = response.status, issue_of(response)
    code = words.FAILURES.get(issue)
    if status == UNAUTHORIZED and issue and code is None:
        return TokenRejected("PayPal refuses the access token", code="provider_configuration", provider_code=issue)
    if status in (UNAUTHORIZED, FORBIDDEN) and issue:
        return Misconfigured("PayPal does not allow this to the app", provider_code=issue)
    if status == TOO_MANY and issue == "RATE_LIMIT_REACHED":
        return NothingCreated("PayPal is asked too often", code=FailureCode.PROVIDER_UNAVAILABLE, provider_code=issue)
    if status in _REFUSING and code is not None and issue not in words.LOOK_FIRST:
        return NothingCreated(f"PayPal refused: {issue}", code=code, provider_code=issue)
    if _INVALID.get(issue) == status:
        return NothingCreated(f"PayPal refused: {issue}", code=FailureCode.INVALID_REQUEST, provider_code=issue)
    return OutcomeUnknown(f"answer {status} {issue}".strip())


def refused_confirmation(response: Response, order_id: str) -> Report | None:
    """How an order stands whose capture or authorization was refused; None where the refusal does not say."""
    if response.status != 422:
        return None
    issue = issue_of(response)
    code = words.FAILURES.get(issue, FailureCode.PROVIDER_ERROR)
    if issue in words.ANOTHER_INSTRUMENT:
        failure, page = reading.failure(code, issue), _page(response)
        return Report(Word.REQUIRES_ACTION, order_id, issue, failure=failure, next_action=page)
    if issue in words.TERMINAL:
        return Report(Word.FAILED, order_id, issue, failure=reading.failure(code, issue))
    if issue == words.EXPIRED:
        return Report(Word.EXPIRED, order_id, issue, failure=reading.failure(code, issue))
    waiting = {words.NOT_APPROVED: Word.REQUIRES_ACTION, words.IN_PROGRESS: Word.PENDING}
    return Report(waiting[issue], order_id, issue) if issue in waiting else None


def _page(response: Response) -> Mapping[str, Any] | None:
    try:
        return reading.action(json_object(response.body))
    except _SHAPE:
        return None
