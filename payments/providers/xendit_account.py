"""What an account at Xendit is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from core import addresses
from core.crypto import Secret
from payments.providers.base import Word
from payments.providers.xendit_reading import Words

_CHANNELS = ("", "ID_DANA", "ID_LINKAJA")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secret key, and the token that comes with every callback; tokens before it are still believed."""

    secret_key: Secret
    callback_token: Secret
    former_callback_tokens: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """`channel_code` issues the codes, Xendit's own choice where it is empty. `invoice_methods` are what an invoice
    offers, in Xendit's words; everything where it names none. `for_user_id` is a sub-account of xenPlatform.

    `code_words`, `payment_words`, `invoice_words` and `refund_words` read statuses in other words of ours than those
    in code. Xendit publishes no addresses; its support tells a merchant which `source_addresses` there are. Each code
    names `qris_merchant`, by number or name, where that is given.
    """

    channel_code: str = ""
    qris_merchant: str = ""
    invoice_methods: tuple[str, ...] = ()
    for_user_id: str = ""
    code_words: Mapping[str, str] = field(default_factory=dict)
    payment_words: Mapping[str, str] = field(default_factory=dict)
    invoice_words: Mapping[str, str] = field(default_factory=dict)
    refund_words: Mapping[str, str] = field(default_factory=dict)
    source_addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        addresses.networks(self.source_addresses)
        if self.channel_code not in _CHANNELS:
            raise ValueError(f"'channel_code' must be one of {', '.join(_CHANNELS[1:])}, or empty")
        for name in (each.name for each in fields(self) if each.name.endswith("_words")):
            for word in getattr(self, name).values():
                if word not in list(Word):
                    raise ValueError(f"{name!r} maps to {word!r}, which is none of our words")

    @property
    def words(self) -> Words:
        return Words(self.code_words, self.payment_words, self.invoice_words, self.refund_words)
