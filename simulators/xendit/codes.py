"""The text of a QRIS code as Xendit's channels issue it."""

from __future__ import annotations

from simulators.qris import crc, element

CHANNELS = {"ID_DANA": ("ID.DANA.WWW", "93600915"), "ID_LINKAJA": ("ID.LINKAJA.WWW", "93600911")}


def qr_text(*, amount: int | None, business: str, reference: str, channel: str) -> str:
    """A code for one payment of whole rupiah, or for any number of payments where `amount` is None."""
    domain, prefix = CHANNELS[channel]
    digits = "".join(letter for letter in business if letter.isdigit())[-11:].zfill(11)
    account = element("00", domain) + element("01", prefix + digits) + element("02", digits.zfill(15))
    parts = [
        element("00", "01"),
        element("01", "11" if amount is None else "12"),
        element("26", account + element("03", "UMI")),
        element("51", element("00", "ID.CO.QRIS.WWW") + element("02", f"ID{digits.zfill(13)}") + element("03", "UMI")),
        element("52", "5812"),
        element("53", "360"),
        "" if amount is None else element("54", str(amount)),
        element("58", "ID"),
        element("59", "WARUNG CONTOH"),
        element("60", "BANDUNG"),
        element("61", "40115"),
        element("62", element("01", reference[-25:])),
        "6304",
    ]
    text = "".join(parts)
    return text + crc(text)
