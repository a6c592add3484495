"""The base of every API view: audit of each request, idempotency of each write, headers of each answer."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

import orjson
from django.db.models import QuerySet
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import api
from core.errors import IdempotencyKeyRequired, InvalidRequest, NotFound
from events import audit, idempotency
from events.idempotency import Claim
from events.models import AuditEntry
from merchants.authentication import Caller
from merchants.request_log import facts_of

MAX_KEY_LENGTH = 255


class ApiView(APIView):
    """One resource and its verbs. `scopes` names what each method needs.

    A write that moves money needs an Idempotency-Key; with `key_is_optional` one is honoured and may be absent.
    """

    scopes: ClassVar[dict[str, str]] = {}
    key_is_optional: ClassVar[bool] = False

    def initial(self, request: Request, *arguments: Any, **options: Any) -> None:
        self.started = time.monotonic()
        self.claimed = False
        super().initial(request, *arguments, **options)
        api.refuse_stray_parameters(request)

    @property
    def caller(self) -> Caller:
        caller: Caller = self.request.user  # type: ignore[assignment]  # our authentication gives no other
        return caller

    def own(self, rows: QuerySet[Any], public_id: str) -> Any:
        """The caller's own row in the caller's mode; anything else does not exist for it."""
        # PostgreSQL cannot be asked about a text with NUL in it.
        row = None if "\x00" in public_id else self.owned(rows).filter(pk=public_id).first()
        if row is None:
            raise NotFound(f"There is no {rows.model._meta.verbose_name} {public_id} for this key.")
        return row

    def owned(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(merchant=self.caller.merchant.pk, livemode=self.caller.livemode)

    def finalize_response(self, request: Request, response: Any, *arguments: Any, **options: Any) -> Any:
        answered = super().finalize_response(request, response, *arguments, **options)
        caller = getattr(request, "_user", None)
        if isinstance(caller, Caller):
            for name, value in caller.headers.items():
                answered[name] = value
            if not self.claimed and answered.status_code not in (403, 503):
                self._record(self._entry(caller, "api.answered", "", answered.status_code))
        return answered

    def _record(self, row: AuditEntry) -> None:
        """A write's outcome at once, a read's with others (money.md 24b)."""
        if self.request.method in SAFE_METHODS:
            audit.record_read(row)
        else:
            row.save(force_insert=True)

    def _entry(self, caller: Caller, action: str, object_id: str, status: int | None = None) -> AuditEntry:
        took = None if status is None else round((time.monotonic() - self.started) * 1000)
        return audit.entry(
            actor=caller.actor,
            action=action,
            merchant=caller.merchant.pk,
            livemode=caller.livemode,
            object_id=object_id,
            address=caller.address,
            request=facts_of(self.request, status=status, milliseconds=took),
        )

    def once(
        self,
        *,
        act: Callable[[Claim], Any],
        resume: Callable[[str], Any],
        present: Callable[[Any], dict[str, Any]],
        status: int = 200,
    ) -> Response:
        """Do a write once for its Idempotency-Key; a repeat is answered as the first was."""
        claim = self._claim()
        answer = idempotency.once(claim, act=lambda: act(claim), resume=resume, present=present, status=status)
        self.claimed = not answer.replayed
        response = Response(answer.body, status=answer.status)
        if answer.replayed:
            response["Idempotency-Replayed"] = "true"
        return response

    def _claim(self) -> Claim:
        caller, key = self.caller, self.request.headers.get("Idempotency-Key", "")
        if not key and not self.key_is_optional:
            raise IdempotencyKeyRequired(
                "Send an Idempotency-Key of your own making (a UUID will do), and the same one when you retry.",
                param="Idempotency-Key",
            )
        if len(key) > MAX_KEY_LENGTH:
            raise InvalidRequest(
                f"An Idempotency-Key has at most {MAX_KEY_LENGTH} characters.", param="Idempotency-Key"
            )
        body = orjson.dumps(self.request.data, option=orjson.OPT_SORT_KEYS).decode()
        return Claim(
            merchant=caller.merchant.pk,
            livemode=caller.livemode,
            key=key,
            fingerprints=idempotency.request_fingerprints(
                str(self.request.method), self.request.path, body, livemode=caller.livemode
            ),
            accepted=lambda object_id: self._entry(caller, "api.accepted", object_id),
            answered=lambda object_id, status: self._entry(caller, "api.answered", object_id, status),
        )


class NoSuchPath(ApiView):
    """Whatever else is asked of `/v1/` is a 404 that says so, in the form of every other error."""

    schema = None
    permission_classes = ()

    def initial(self, request: Request, *arguments: Any, **options: Any) -> None:
        super().initial(request, *arguments, **options)
        raise NotFound(f"There is nothing at {request.path}. The reference is at /docs.")
