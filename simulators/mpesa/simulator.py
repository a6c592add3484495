"""M-Pesa Daraja: OAuth, STK push and its query, transaction status, reversal, C2B, Pull Transactions.

Source: developer.safaricom.co.ke (Authorization, MpesaExpressSimulate, MpesaExpressQuery, TransactionStatus,
Reversal, CustomerToBusiness, CustomerToBusinessRegisterURL, PullTransaction).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulators.ledger import Conflict, LedgerEntry
from simulators.memory import Memory
from simulators.mpesa.books import Books
from simulators.mpesa.certificate import certificate
from simulators.mpesa.errors import MpesaError
from simulators.mpesa.fields import Fields
from simulators.mpesa.initiator import Initiator
from simulators.mpesa.ledger import known_as, ledger_of
from simulators.mpesa.pages import paybill_page, prompts_page
from simulators.mpesa.paybill import Paybill
from simulators.mpesa.prompts import Prompts
from simulators.mpesa.pull import Pull
from simulators.mpesa.settings import MpesaSettings
from simulators.mpesa.tokens import Tokens
from simulators.mpesa.words import DESCRIPTIONS, MAGIC_AMOUNTS, OUTCOMES, STILL_PENDING
from simulators.outcomes import no_such
from simulators.server import Answer, Handle, Request, Router
from simulators.simulator import Simulator
from simulators.trouble import Trouble

JSON = dict[str, Any]
PUSH = "/mpesa/stkpush/v1/processrequest"


class Mpesa(Simulator):
    name, title = "mpesa", "M-Pesa Daraja"
    magic_amounts = MAGIC_AMOUNTS
    own_troubles = {
        "callback_under": "less money moves than was asked, and the callback says so",
        "callback_over": "more money moves than was asked, and the callback says so",
        "queue_timeout_before": "status and reversal: the request dies in the queue, QueueTimeOutURL is told",
        "queue_timeout_after": "status and reversal: does the work, tells QueueTimeOutURL and not ResultURL",
        "result_*": "status and reversal: ends with that code, such as result_2001",
    }
    settings: MpesaSettings

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, MpesaSettings())
        self.books = Books(memory)
        self.tokens = Tokens(memory, self.settings)
        self.paybill = Paybill(self.books, self.settings, self.sender)
        self.prompts = Prompts(self.books, self.settings, self.sender, self.paybill.confirm)
        self.pull = Pull(self.books, self.settings, self.paybill.pay)
        self.initiator = Initiator(self.books, self.settings, self.sender)
        self.serve_routes(
            Router(
                {
                    "GET /oauth/v1/generate": self.tokens.generate,
                    f"POST {PUSH}": self._with_token(self._push),
                    "POST /mpesa/stkpushquery/v1/query": self._with_token(self._query),
                    "POST /mpesa/transactionstatus/v1/query": self._with_token(self._status),
                    "POST /mpesa/reversal/v1/request": self._with_token(self._reversal),
                    "POST /mpesa/c2b/v1/registerurl": self._with_token(self._register),
                    "POST /mpesa/c2b/v2/registerurl": self._with_token(self._register),
                    "POST /mpesa/c2b/v2/simulate": self._with_token(self._customer_pays),
                    "POST /pulltransactions/v1/register": self._with_token(self._register_pull),
                    "POST /pulltransactions/v1/query": self._with_token(self._pull),
                }
            )
        )

    def _with_token(self, act: Callable[[Request], JSON | Answer]) -> Handle:
        def handle(request: Request) -> Answer:
            self.tokens.check(request)
            done = act(request)
            return done if isinstance(done, Answer) else Answer.of_json(done)

        return handle

    def perform(self, request: Request, handle: Handle) -> Answer:
        try:
            return super().perform(request, handle)
        except MpesaError as error:
            return error.answer()

    def _push(self, request: Request) -> JSON:
        return self.prompts.push(Fields(request), request.callback_mode)

    def _query(self, request: Request) -> JSON:
        return self.prompts.query(Fields(request))

    def _status(self, request: Request) -> JSON:
        return self.initiator.status(Fields(request), request.trouble.do if request.trouble else "")

    def _reversal(self, request: Request) -> JSON:
        return self.initiator.reversal(Fields(request), request.trouble.do if request.trouble else "")

    def _register(self, request: Request) -> JSON:
        return self.paybill.register(Fields(request), "v1" if "/v1/" in request.path else "v2")

    def _customer_pays(self, request: Request) -> JSON:
        return self.paybill.request(Fields(request))

    def _register_pull(self, request: Request) -> JSON:
        return self.pull.register(Fields(request))

    def _pull(self, request: Request) -> Answer:
        return self.pull.query(Fields(request))

    def magic_trouble(self, request: Request) -> Trouble | None:
        if request.route != PUSH or request.document is None:
            return None
        amount = str(request.document.get("Amount", ""))
        return self.magic(int(amount)) if amount.isdigit() else None

    def not_found(self, request: Request, known_path: bool) -> Answer:
        if known_path:
            return MpesaError("405.001", "Method Not Allowed").answer()
        return MpesaError("404.001.01", "Resource not found").answer()

    def server_error(self) -> Answer:
        return MpesaError("500.003.1001", "Internal Server Error").answer()

    def rate_limited(self) -> Answer:
        return MpesaError("500.003.02", "Spike Arrest Violation", 429).answer()

    def ledger(self) -> list[LedgerEntry]:
        return ledger_of(self.books)

    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """`outcome`: a word of OUTCOMES or a result code; `callback`: how the callback goes out.

        "paybill" is a payment that the customer starts: `short_code`, `amount`, `reference`, `phone`, `validation`.
        Without a short code it is for the payment of a prompt, which the customer leaves unanswered.
        """
        if wanted.get("outcome") == "paybill":
            return self.paybill.pay(wanted) if "short_code" in wanted else self._pay_prompt_by_paybill(wanted)
        id, outcome = self._find(wanted), str(wanted.get("outcome", "approve"))
        result = OUTCOMES.get(outcome, outcome)
        if result not in DESCRIPTIONS or result == STILL_PENDING:
            raise no_such(outcome, [*OUTCOMES, "paybill", "or a result code"])
        mode = str(wanted.get("callback", ""))
        if outcome == "late_success":
            self.prompts.late_success(id, mode)
        else:
            self.prompts.settle(id, result, mode)
        return {"id": id, "state": outcome, "result": result}

    def _pay_prompt_by_paybill(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Conflict where nobody would hear of it, or the merchant refuses it."""
        id = self._find(wanted)
        prompt = self.books.prompts.get(id)
        if prompt is None:
            raise KeyError(id)
        if prompt.short_code not in self.paybill.addresses:
            raise Conflict(f"no addresses are registered for {prompt.short_code}: nobody would hear of the money")
        told = {"short_code": prompt.short_code, "amount": prompt.amount, "phone": prompt.phone}
        paid = self.paybill.pay({**told, "reference": prompt.reference, "callback": wanted.get("callback", "")})
        if paid["state"] != "paid":
            raise Conflict(f"the merchant refused the money: {paid['result']}")
        return paid

    def _find(self, wanted: Mapping[str, Any]) -> str:
        """The prompt by its id, else the newest with that account reference."""
        id, reference = wanted.get("id"), str(wanted.get("reference", ""))
        if id:
            return str(id)
        for prompt in self.books.prompts.newest_first():
            if reference in known_as(prompt):
                return prompt.id
        raise KeyError(reference)

    def phone_page(self) -> str:
        return prompts_page(self.books, self.settings)

    def own_page(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "GET", "/_simulator/certificate":
                return Answer(200, certificate().encode(), "application/x-pem-file")
            case "GET", "/_simulator/paybill":
                return Answer.of_html(paybill_page(self.settings))
        return None

    def credentials(self) -> dict[str, str]:
        settings = self.settings
        tills = {store: till for till, store in settings.tills.items()}
        shown = {}
        for key, secret in settings.apps.items():
            shown[f"app {key}"] = secret
        for short_code, passkey in settings.passkeys.items():
            till = tills.get(short_code)
            label = f"store {short_code}, till {till}" if till else f"paybill {short_code}"
            shown[label] = passkey
        for name, password in settings.initiators.items():
            shown[f"initiator {name}"] = password
        return shown | {"certificate": f"{self.base_url}/_simulator/certificate"}

    def forget(self) -> None:
        self.books.clear()
        self.paybill.clear()
        self.pull.clear()
        self.tokens.clear()

    def resume(self) -> None:
        self.prompts.resume()
        self.initiator.resume()
