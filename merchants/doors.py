"""The doors for providers: `/callbacks/{token}/{door}[/{operation}]` (money.md 11, security.md 11)."""

import logging
from contextlib import nullcontext
from dataclasses import replace

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core import addresses, ids
from core.deadlines import within
from core.providers import CallbackRefused, Proof
from events import inbox, sealing, work
from events.inbox import Arrival, Handler
from events.models import Callback
from merchants.models import CallbackToken, ProviderAccount

logger = logging.getLogger(__name__)


def callback_url(account: ProviderAccount, door: str, *, operation: str = "") -> str:
    """Where a provider sends what this door is for. The path names no provider."""
    path = f"{settings.PUBLIC_URL}/callbacks/{account_token(account)}/{door}"
    return f"{path}/{operation}" if operation else path


def standing_urls(account: ProviderAccount) -> dict[str, str]:
    """By door, the addresses that are entered at the provider; those of the other doors travel with each call."""
    handler = inbox.handler_of(account.provider)
    standing = [name for name, door in handler.doors.items() if not door.per_operation] if handler else []
    return {door: callback_url(account, door) for door in standing}


_tokens: dict[str, tuple[int, str]] = {}


def account_token(account: ProviderAccount) -> str:
    """The account's newest valid path token."""
    revision, held = _tokens.get(account.pk, (0, ""))
    if not held or revision != account.revision:
        row = account.callback_tokens.filter(revoked_at=None).latest("pk")
        held = sealing.unseal_secret(row, "token").reveal()
        _tokens[account.pk] = account.revision, held
    return held


def issue_token(account: ProviderAccount) -> None:
    """Give the account another path token; the earlier ones stay valid until they are revoked."""
    token = ids.random_token()
    row = CallbackToken(
        account=account,
        merchant_id=account.merchant_id,
        livemode=account.livemode,
        hash=sealing.token_hash(token, livemode=account.livemode),
    )
    sealing.seal(row, "token", token)
    row.save(force_insert=True)


def rekey_tokens() -> int:
    """Hash every path token under the active master key, and say how many changed; the paths stay as they are."""
    return sum(_rekey(row) for row in CallbackToken.objects.order_by("pk").iterator(chunk_size=500))


def _rekey(row: CallbackToken) -> int:
    hashed = sealing.token_hash(sealing.unseal_secret(row, "token").reveal(), livemode=row.livemode)
    return CallbackToken.objects.filter(pk=row.pk).exclude(hash=hashed).update(hash=hashed)


@csrf_exempt
@require_POST
def callback(request: HttpRequest, token: str, door: str, operation: str = "") -> HttpResponse:
    """Take in one callback: size, token, address and signature, store, process or wake, answer.

    Where the answer decides something for the payer it comes in time, or is 503: a database that is slow is not waited
    for.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.CALLBACK_MAX_BYTES:
        return HttpResponse("too large", status=413, content_type="text/plain")
    with within(settings.DOOR_ANSWER_SECONDS) if inbox.wants_answer(door) else nullcontext():
        return _receive(request, token, door, operation)


def _receive(request: HttpRequest, token: str, door: str, operation: str) -> HttpResponse:
    account = _account(token)
    handler = inbox.handler_of(account.provider) if account else None
    if account is None or handler is None or door not in handler.doors:
        return _nothing_here()
    found = handler.find_operation(account, operation) if operation else ""
    if bool(operation) != handler.doors[door].per_operation or (operation and not found):
        return _nothing_here()
    arrival = _arrival(request, account, door, found)
    try:
        handler.verify(arrival)
    except CallbackRefused as fault:
        inbox.quarantine(arrival, str(fault))
        return HttpResponse("refused", status=400, content_type="text/plain")
    return _take_in(arrival, handler)


def let_in_again(callback: Callback) -> None:
    """Verify a stored callback as the account is now, and have it processed like a new one.

    Raises CallbackRefused while it still does not fit.
    """
    account = ProviderAccount.objects.get(pk=callback.account)
    handler = inbox.handler_of(callback.provider)
    if handler is None or callback.door not in handler.doors:
        raise CallbackRefused(f"there is no door {callback.door!r} for {callback.provider} any more")
    headers, body = inbox.contents(callback)
    at = callback.received_at
    handler.verify(Arrival(account, callback.door, headers, body, callback.address, callback.operation, at))
    inbox.release(callback)


def _take_in(arrival: Arrival, handler: Handler) -> HttpResponse:
    row = inbox.receive(arrival, key=handler.event_key(arrival))
    door = handler.doors[arrival.door]
    if door.wants_answer:
        if not _process_now(row):
            return HttpResponse("try again", status=503, content_type="text/plain")
        arrival = replace(arrival, outcome=row.note)
    elif door.proof is Proof.WEAK:
        work.wake_up("callbacks")
    elif row.state not in (Callback.State.PROCESSED, Callback.State.IGNORED):
        _process_now(row)
    answer = handler.answer(arrival)
    return HttpResponse(
        answer.body, status=answer.status, content_type=answer.content_type, headers=dict(answer.headers)
    )


def _process_now(row: Callback) -> bool:
    """Whether it could be. Stored is safe: whatever fails here is taken up again by the sweep."""
    try:
        inbox.process(row)
    except Exception:
        logger.exception("callback stored but not processed", extra={"callback": row.pk})
        return False
    return True


def _account(token: str) -> ProviderAccount | None:
    found = (
        CallbackToken.objects.filter(hash__in=sealing.token_hashes(token), revoked_at=None)
        .select_related("account")
        .first()
    )
    return found.account if found else None


def _arrival(request: HttpRequest, account: ProviderAccount, door: str, operation: str) -> Arrival:
    return Arrival(
        account=account,
        door=door,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
        address=addresses.client_address(request.META, trusted_proxies=settings.TRUSTED_PROXIES),
        operation=operation,
    )


def _nothing_here() -> HttpResponse:
    return HttpResponse("not found", status=404, content_type="text/plain")
