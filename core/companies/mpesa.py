"""Safaricom's Daraja, as every one of its APIs speaks: token, password, credential, envelope, result.

Sources: the portal's pages Authorization, MpesaExpressSimulate, TransactionStatus and Reversal at
developer.safaricom.co.ke/apis, and what several public integrations agree on where those are silent.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.crypto import Secret
from core.http import HttpFault, Request, Response
from core.money import Money
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

HOSTS = {"sandbox": "https://sandbox.safaricom.co.ke", "production": "https://api.safaricom.co.ke"}

SOURCE_ADDRESSES = (
    "196.201.214.200", "196.201.214.206", "196.201.213.114", "196.201.214.207", "196.201.214.208",
    "196.201.213.44", "196.201.212.127", "196.201.212.138", "196.201.212.129", "196.201.212.136",
    "196.201.212.74", "196.201.212.69",
)  # fmt: skip
"""Where callbacks come from, as the portal once published it; no longer on its pages of 2025."""

CURRENCY = "KES"
_EAST_AFRICA = timezone(timedelta(hours=3))
_PHONE = re.compile(r"254[71]\d{8}", re.ASCII)
_IDENTIFIER = re.compile(r"[!-~]{1,255}")
_LARGEST_MAGNITUDE = 12


# Going out


def timestamp(moment: datetime) -> str:
    """`YYYYMMDDHHmmss` on the clock of Nairobi, which knows no summer time."""
    return moment.astimezone(_EAST_AFRICA).strftime("%Y%m%d%H%M%S")


def wall_clock(moment: datetime) -> str:
    """`YYYY-MM-DD HH:mm:ss` on the clock of Nairobi."""
    return moment.astimezone(_EAST_AFRICA).strftime("%Y-%m-%d %H:%M:%S")


def password(*, shortcode: str, passkey: Secret, stamp: str) -> str:
    """What signs a push: plain concatenation in base64, no hash."""
    return base64.b64encode(f"{shortcode}{passkey.reveal()}{stamp}".encode()).decode()


def security_credential(initiator_password: Secret, *, certificate: str) -> str:
    """The initiator's password under the environment's public key, RSA PKCS #1 v1.5: another text each time.

    Raises Misconfigured when the PEM certificate cannot be used.
    """
    try:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError:
        raise Misconfigured("the option 'certificate' is not a PEM certificate") from None
    if not isinstance(key, RSAPublicKey):
        raise Misconfigured("the option 'certificate' does not hold an RSA key")
    return base64.b64encode(key.encrypt(initiator_password.reveal().encode(), PKCS1v15())).decode()


def phone(given: str) -> str:
    """A Kenyan mobile number in the form 2547XXXXXXXX or 2541XXXXXXXX. Raises ValueError."""
    digits = re.sub(r"[\s\-().]", "", given).removeprefix("+")
    if re.fullmatch(r"0?[71]\d{8}", digits, re.ASCII):
        digits = "254" + digits.removeprefix("0")
    if not _PHONE.fullmatch(digits):
        raise ValueError("not a Kenyan mobile number: write it as 2547XXXXXXXX, 2541XXXXXXXX or 07XXXXXXXX")
    return digits


# The access token


def access_token(
    *, base_url: str, consumer_key: Secret, consumer_secret: Secret, send: Callable[[Request], Response]
) -> AccessToken:
    """A new token, which ends the life of the one before. Raises Unreachable or Misconfigured."""
    pair = f"{consumer_key.reveal()}:{consumer_secret.reveal()}".encode()
    url = f"{base_url}/oauth/v1/generate?grant_type=client_credentials"
    request = Request("GET", url, {"Authorization": "Basic " + base64.b64encode(pair).decode()})
    try:
        response = send(request)
    except (HttpFault, ProviderFault) as fault:
        # Also where the answer was lost: what was to be done with the token has not begun.
        raise Unreachable(f"no access token: {fault}") from fault
    # A wrong key is answered by 400 or 401, often without a body.
    if response.status in (400, 401):
        raise Misconfigured("the consumer key or secret was refused", provider_code=envelope(response).code)
    return _read_token(response)


def _read_token(response: Response) -> AccessToken:
    try:
        answer = json_object(response.body)
        # Seconds arrive as a text in most captures and as a number on the present page.
        value, lifetime = identifier(answer["access_token"]), timedelta(seconds=int(answer["expires_in"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Unreachable(f"no access token: an unreadable answer {response.status}") from None
    if response.status != 200:
        raise Unreachable(f"no access token: answer {response.status}")
    return AccessToken(Secret(value), lifetime)


def bearing(request: Request, token: Secret) -> Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token.reveal()}"})


def borne(request: Request) -> Secret:
    """The token that an authorized request carries."""
    return Secret(request.headers["Authorization"].removeprefix("Bearer "))


# Synchronous answers


@dataclass(frozen=True, slots=True)
class Envelope:
    """An error answer: Daraja's own, or its gateway's `fault`. Both texts are empty without either."""

    code: str = ""
    message: str = ""

    def says(self, text: str) -> bool:
        return text in self.message.lower()


def envelope(response: Response) -> Envelope:
    try:
        answer = json_object(response.body)
    except ValueError:
        return Envelope()
    fault = answer.get("fault")
    if isinstance(fault, dict):
        detail = fault.get("detail")
        code = detail.get("errorcode") if isinstance(detail, dict) else ""
        return Envelope(_code(code), str(fault.get("faultstring")))
    return Envelope(_code(answer.get("errorCode")), str(answer.get("errorMessage")))


def _code(value: object) -> str:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""


_INVALID_TOKEN_CODES = frozenset({"404.001.03", "400.003.01", "401.002.01", "401.001"})
_REFUSED = ("400.", "401.", "404.", "405.")
_NO_PRODUCT = "no apiproduct match found"


def refuse(response: Response) -> None:
    """Raise for every answer but 200: NothingCreated for what is listed, OutcomeUnknown for all the rest.

    Listed are the 4xx envelopes of the portal's error tables, a bare 401, and an app without the product.
    """
    if response.status == 200:
        return
    error = envelope(response)
    if not 400 <= response.status < 500 or response.status == 429:
        raise OutcomeUnknown(f"answer {response.status} {error.code}".strip())
    if error.says(_NO_PRODUCT):
        raise Misconfigured("the app does not have this API's product", provider_code=error.code)
    if response.status == 401 or error.code in _INVALID_TOKEN_CODES or error.says("invalid access token"):
        raise TokenRejected("the token was refused", code="provider_configuration", provider_code=error.code)
    if error.code.startswith(_REFUSED):
        raise NothingCreated("the request was refused", code="invalid_request", provider_code=error.code)
    raise OutcomeUnknown(f"answer {response.status} {error.code}".strip())


def accepted(response: Response) -> dict[str, Any]:
    """The answer to a request that was taken: HTTP 200 and ResponseCode 0. Raises as `refuse` does."""
    refuse(response)
    try:
        answer = json_object(response.body)
        if word(answer["ResponseCode"]) == "0":
            return answer
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown("an unreadable answer 200") from error
    raise OutcomeUnknown("answer 200 with another ResponseCode than 0")


def acknowledged(response: Response) -> str:
    """The ConversationID of an initiator request; its result follows. Raises as `refuse` does."""
    try:
        return identifier(accepted(response)["ConversationID"])
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown("an acknowledgement without ConversationID") from error


# Values, which come as text here and as a number there. All raise ValueError.


def word(value: object) -> str:
    """A code or a phone number: the same text whether it came as a string or as a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("neither a text nor a whole number")
    return identifier(str(value))


def identifier(value: object) -> str:
    """An opaque id: printable, without spaces, of a length that we keep."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueError("not an identifier")
    return value


def shillings(value: object) -> Money:
    """`250`, `250.00` or `"250.00"` as money."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("not an amount")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError("not an amount") from None
    if not amount.is_finite() or amount < 0 or amount.adjusted() > _LARGEST_MAGNITUDE:
        raise ValueError("not an amount")
    return Money.from_major(amount, CURRENCY)


def typed(value: object) -> str:
    """What a payer typed as the account: junk is tolerated; nothing for buy goods."""
    text = "".join(letter for letter in str(value or "") if letter.isprintable())
    return text.strip()[:100]


def read_wall_clock(value: object) -> datetime | None:
    """An ISO moment, of Nairobi where it names no zone; None for anything else, as nothing depends on it."""
    try:
        read = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=_EAST_AFRICA)


# Asynchronous results


@dataclass(frozen=True, slots=True)
class Result:
    """What an initiator request came to. A key may repeat; `transaction_id` may be a dummy on failure."""

    code: str
    conversation_id: str
    originator_conversation_id: str
    transaction_id: str
    parameters: Mapping[str, tuple[Any, ...]]

    def first(self, key: str) -> Any:
        """The first value under `key`, or None: items may be missing, or lack a value."""
        return next(iter(self.parameters.get(key, ())), None)


def read_result(body: bytes) -> Result:
    """The body sent to a ResultURL. Raises ValueError when it is not the documented envelope."""
    try:
        result = json_object(body)["Result"]
        return Result(
            word(result["ResultCode"]),
            identifier(result["ConversationID"]),
            identifier(result["OriginatorConversationID"]),
            identifier(result["TransactionID"]) if result.get("TransactionID") else "",
            _parameters(result.get("ResultParameters")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not the envelope of a result") from error


def _parameters(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Absent on failure; a list, or a lone object where there is one parameter."""
    listed = given["ResultParameter"] if given else []
    found: dict[str, tuple[Any, ...]] = {}
    for item in [listed] if isinstance(listed, dict) else listed:
        if item.get("Value") is not None:
            found[item["Key"]] = (*found.get(item["Key"], ()), item["Value"])
    return found
