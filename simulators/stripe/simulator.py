"""Stripe for card payments: PaymentIntents, SetupIntents and saved cards, refunds, events and signed webhooks.

Source: docs.stripe.com/api (authentication, versioning, request ids, errors).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import random
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory, Table
from simulators.server import Answer, Request, Router
from simulators.simulator import Simulator
from simulators.stripe.account import Account, Cause
from simulators.stripe.bank import Bank, known_as, return_address
from simulators.stripe.cards import MAGIC_AMOUNTS
from simulators.stripe.endpoints import ENDPOINTS, Endpoint
from simulators.stripe.errors import StripeError, rate_limited, server_error
from simulators.stripe.form import Parameters, decode
from simulators.stripe.ledger import ledger_of
from simulators.stripe.objects import LETTERS
from simulators.stripe.pages import challenge_page, challenges_page
from simulators.stripe.payouts import pay_out
from simulators.stripe.reading import check_expansions, expand
from simulators.stripe.settings import StripeSettings
from simulators.trouble import Trouble

JSON = dict[str, Any]
DEFAULT_KEY = "sk_test_lango_simulator"
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?\Z")
NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using "
    "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
    "https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."
)


class Stripe(Simulator):
    name, title = "stripe", "Stripe"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = {
        "callback_bad_signature": "signed with another secret",
        "callback_old_timestamp": "signed rightly, an hour ago",
    }
    settings: StripeSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, StripeSettings())
        self.serve_routes(Router(ENDPOINTS))
        self.bank = Bank(self.settings, self.sender)
        self._once_troubled: set[tuple[str, str, str]] = set()
        self._accounts: dict[str, Account] = {}
        self._accounts_lock = threading.Lock()
        self._keys: Table[str] = memory.table("accounts")
        for key in self._keys.rows():
            self._account(key)
        pages_of_ours = {
            "GET /_simulator/3d_secure/{intent}": self._challenge,
            "POST /_simulator/3d_secure/{intent}": self._challenge_answered,
        }
        self._pages = Router(pages_of_ours)

    def perform(self, request: Request, handle: Endpoint) -> Answer:
        headers = {"Request-Id": _request_id()}
        try:
            account = self._account(_secret_key(request.header("Authorization")))
            cause = self._cause(request, headers)
            answer = self._perform(account, cause, request, handle)
        except StripeError as error:
            answer = _refusal(error, headers["Request-Id"])
        return replace(answer, headers=headers | dict(answer.headers))

    def _cause(self, request: Request, headers: dict[str, str]) -> Cause:
        """Notes on `headers` what goes back whatever comes of the call."""
        version = request.header("Stripe-Version") or self.settings.api_version
        if not VERSION.match(version):
            raise StripeError(f"Invalid Stripe API version: {version}")
        headers["Stripe-Version"] = version
        key = request.header("Idempotency-Key") if request.method == "POST" else ""
        if key:
            headers["Idempotency-Key"] = key
        return Cause(
            request_id=headers["Request-Id"],
            idempotency_key=key or None,
            version=version,
            origin=request.origin,
            callback_mode=request.callback_mode,
        )

    def _perform(self, account: Account, cause: Cause, request: Request, endpoint: Endpoint) -> Answer:
        values = _values(request)
        if not cause.idempotency_key:
            self.hold(request)
            answer, _ = self._execute(account, cause, request, endpoint, values)
        else:
            answer = self._perform_once(account, cause, request, endpoint, values)
        self.bank.publish(account, cause)
        return answer

    def _perform_once(
        self, account: Account, cause: Cause, request: Request, endpoint: Endpoint, values: JSON
    ) -> Answer:
        """The key is in use while the call is held, as it is while a slow bank is asked."""
        keys, key = account.idempotency_keys, cause.idempotency_key or ""
        saved = keys.claim(key, request.path, values, self.settings.idempotency_seconds)
        if saved:
            return Answer(saved.status, saved.body.encode(), headers={"Idempotent-Replayed": "true"})
        executed = False
        try:
            self.hold(request)
            answer, executed = self._execute(account, cause, request, endpoint, values)
        finally:
            if not executed:
                keys.release(key)
        if executed:
            keys.save(key, answer.status, answer.body.decode())
        return answer

    def _execute(
        self, account: Account, cause: Cause, request: Request, endpoint: Endpoint, values: JSON
    ) -> tuple[Answer, bool]:
        """The answer, and whether work had begun. It is written under the lock: objects change in place."""
        with account.lock:
            try:
                cause.parameters = Parameters(values, endpoint.parameters)
                paths = check_expansions(cause.parameters, endpoint.kind, listed=endpoint.listed)
                answer = Answer.of_json(expand(account, endpoint.act(account, cause, request), paths))
            except StripeError as error:
                answer = _refusal(error, cause.request_id or "")
                if not error.executed:
                    return answer, False
        if request.trouble and request.trouble.do == "500_after":
            # Work had begun, so this 500 is the first result and is replayed like any other.
            answer = replace(self.server_error(), headers={"Stripe-Should-Retry": "false"})
        return answer, True

    def spoiled(self, request: Request, answer: Answer) -> Answer:
        return answer if answer.status == 500 else super().spoiled(request, answer)

    def magic_trouble(self, request: Request) -> Trouble | None:
        """Once per idempotency key: the retry of a lost answer shall find out what happened."""
        if request.route not in ("/v1/payment_intents", "/v1/refunds") or request.method != "POST":
            return None
        amount = dict(request.form).get("amount", "")
        trouble = self.magic(int(amount)) if amount.isdigit() else None
        # A callback's trouble follows from the amount in the event, also long after this call.
        if trouble is None or trouble.callback_mode:
            return None
        key = request.header("Idempotency-Key")
        call = (request.header("Authorization"), request.path, key)
        if key and call in self._once_troubled:
            return None
        self._once_troubled.add(call)
        return trouble

    def _account(self, key: str) -> Account:
        with self._accounts_lock:
            account = self._accounts.get(key)
            if account is None:
                account = self._accounts[key] = Account(self.memory, key, self.settings)
                self._keys.put(key, key)
            return account

    def not_found(self, request: Request, known_path: bool) -> Answer:
        message = (
            f"Unrecognized request URL ({request.method}: {request.path}). Please see "
            "https://stripe.com/docs or we can help at https://support.stripe.com/."
        )
        return _refusal(StripeError(message, status=404), _request_id())

    def server_error(self) -> Answer:
        return _refusal(server_error(), _request_id())

    def rate_limited(self) -> Answer:
        return _refusal(rate_limited(), _request_id())

    def accounts(self) -> list[Account]:
        with self._accounts_lock:
            return list(self._accounts.values())

    def ledger(self) -> list[LedgerEntry]:
        return [entry for account in self.accounts() for entry in ledger_of(account)]

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        if wanted.get("outcome") == "payout":
            return pay_out(self._account(str(wanted.get("key", DEFAULT_KEY))))
        account, id = self._find(wanted)
        outcome = str(wanted.get("outcome", "approve"))
        document = self.bank.act(account, id, outcome, str(wanted.get("callback", "")))
        return {"id": id, "state": document.get("status", "")}

    def _find(self, wanted: Mapping[str, Any]) -> tuple[Account, str]:
        id, reference = wanted.get("id"), wanted.get("reference")
        for account in self.accounts():
            if id and account.get(str(id)):
                return account, str(id)
            for prefix in ("pi", "re", "seti") if reference else ():
                for document in account.tables[prefix].newest_first():
                    if str(reference) in known_as(account, document):
                        return account, document["id"]
        raise KeyError(id or reference)

    def phone_page(self) -> str:
        return challenges_page(self.accounts())

    def own_page(self, request: Request) -> Answer | None:
        show = self._pages.find(request)
        try:
            return show(request) if show else None
        except (KeyError, StripeError):
            return None

    def _challenge(self, request: Request) -> Answer:
        account, id = self._find({"id": request.parameters["intent"]})
        return Answer.of_html(challenge_page(account, _challenged(account, id)))

    def _challenge_answered(self, request: Request) -> Answer:
        account, id = self._find({"id": request.parameters["intent"]})
        with contextlib.suppress(Conflict, ValueError):
            self.bank.act(account, id, dict(request.form).get("outcome", ""))
        intent = _challenged(account, id)
        back = return_address(account, intent)
        return Answer.redirect(back) if back else Answer.of_html(challenge_page(account, intent))

    def credentials(self) -> dict[str, str]:
        return {
            "secret key": f"{DEFAULT_KEY} (any other sk_test_… key is an account of its own)",
            "webhook secret": f"given by POST /v1/webhook_endpoints; default {self.settings.webhook_secret}",
        }

    def forget(self) -> None:
        self._once_troubled.clear()
        for account in self.accounts():
            account.clear()

    def resume(self) -> None:
        for account in self.accounts():
            self.bank.resume(account)


def _challenged(account: Account, id: str) -> JSON:
    """The payment or set-up that a bank asks about."""
    return account.need("setup_intent" if id.startswith("seti_") else "payment_intent", id)


def _secret_key(authorization: str) -> str:
    """From Bearer, or from Basic as the user with an empty password. StripeError 401."""
    scheme, _, value = authorization.partition(" ")
    key = value.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise StripeError(NO_KEY, status=401)
    if key.startswith("sk_test_expired"):
        raise StripeError(f"Expired API Key provided: {_masked(key)}", status=401, code="api_key_expired")
    if not key.startswith("sk_test_"):
        raise StripeError(f"Invalid API Key provided: {_masked(key)}", status=401)
    return key


def _masked(key: str) -> str:
    return key[:8] + "*" * max(len(key) - 12, 4) + key[-4:]


def _values(request: Request) -> JSON:
    if request.method == "GET":
        return decode(request.query)
    if request.body and "json" in request.header("Content-Type"):
        message = "Invalid request: send application/x-www-form-urlencoded; JSON bodies are not accepted here."
        raise StripeError(message)
    return decode(request.form)


def _refusal(error: StripeError, request_id: str) -> Answer:
    return Answer.of_json(error.body(request_id), error.status, {"Request-Id": request_id})


def _request_id() -> str:
    return "req_" + "".join(random.choices(LETTERS, k=14))
