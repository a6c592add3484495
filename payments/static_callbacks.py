"""Callbacks about money on a code that stands on a counter: they only make us ask what was paid on it (money.md 10)."""

from events import inbox
from events.models import Callback
from payments import weak_callbacks
from payments.models import StaticCode
from payments.providers.base import Report, Word
from payments.services import static_codes
from payments.services.booking import Because


def question(callback: Callback, code: StaticCode, told: Report) -> None:
    """Ask, book what is shown, and finish the callback by that; a word that nobody knows is left to a person."""
    named = [moved.provider_money_id for moved in told.moved]
    because = Because(by=callback.provider, source="callback", detail=f"query after callback {callback.pk}")
    booked = static_codes.take_in(code, money_id=named[0] if named else "", because=because)
    if booked is None or any(number not in booked for number in named):
        weak_callbacks.wait(callback)
    elif told.word is Word.UNKNOWN:
        weak_callbacks.park(callback, f"says {told.provider_status!r} of a payment on {code.pk}")
    else:
        subject = booked[named[0]].pk if named else code.pk
        inbox.finish(callback, Callback.State.PROCESSED, subject=subject, note=told.provider_status)
