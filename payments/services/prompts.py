"""What keeps a second prompt from a phone while one is open: a fingerprint of the number on the attempt."""

from django.db import IntegrityError, transaction

from events import sealing
from merchants.models import ProviderAccount
from payments.models import Attempt


def lock_of(account: ProviderAccount, instrument: str) -> str:
    return sealing.fingerprint("prompt", account.pk, instrument, livemode=account.livemode)


def rekey_locks() -> int:
    """Make the locks of open prompts anew under the active master key, and say how many changed."""
    held = Attempt.objects.filter(prompt_lock__isnull=False).select_related("payment", "account").order_by("pk")
    return sum(_rekey(attempt) for attempt in held.iterator(chunk_size=500))


def _rekey(attempt: Attempt) -> int:
    """A prompt to the same phone that is under the new key already keeps its lock; this one ends soon."""
    lock = lock_of(attempt.account, sealing.unseal_secret(attempt.payment, "instrument").reveal())
    if lock == attempt.prompt_lock:
        return 0
    try:
        with transaction.atomic():
            return Attempt.objects.filter(pk=attempt.pk, prompt_lock=attempt.prompt_lock).update(prompt_lock=lock)
    except IntegrityError:
        return 0
