"""The text of a QRIS code, written and read by the standard: id, length and value, and a CRC-16 at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

ACQUIRERS = {"gopay": ("COM.GO-JEK.WWW", "93600914"), "airpay shopee": ("ID.CO.SHOPEE.WWW", "93600918")}


def element(name: str, value: str) -> str:
    return f"{name}{len(value):02}{value}"


def crc(text: str) -> str:
    """Polynomial 0x1021, beginning with 0xFFFF, bits in their order."""
    register = 0xFFFF
    for byte in text.encode():
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1) ^ 0x1021 if register & 0x8000 else register << 1
            register &= 0xFFFF
    return f"{register:04X}"


TROUBLES = {
    "code_checksum": "the QRIS text of the answer has another checksum",
    "code_amount": "the QRIS text asks for one rupiah more",
    "code_merchant": "the QRIS text pays another merchant",
    "code_currency": "the QRIS text is in US dollars",
}
_TEXT = re.compile(rb"000201[^\"\\]{20,500}?6304[0-9A-F]{4}")


def spoiled(body: bytes, trouble: str) -> bytes:
    """The answer with its QRIS text as the trouble wants it, the checksum made anew for all but a wrong one."""
    return _TEXT.sub(lambda found: _spoiled(found[0].decode(), trouble).encode(), body)


def _spoiled(text: str, trouble: str) -> str:
    if trouble == "code_checksum":
        return text[:-4] + ("0000" if text[-4:] != "0000" else "FFFF")
    parts = _parts(text)
    if trouble == "code_amount":
        parts["54"] = str(int(parts.get("54", "0").partition(".")[0]) + 1)
    elif trouble == "code_merchant":
        parts["51"] = element("00", "ID.CO.QRIS.WWW") + element("02", "ID1099999999999") + element("03", "UMI")
        parts["59"] = "TOKO LAIN"
    else:
        parts["53"] = "840"
    told = "".join(element(name, value) for name, value in parts.items() if name != "63") + "6304"
    return told + crc(told)


def _parts(text: str) -> dict[str, str]:
    found, place = {}, 0
    while place < len(text):
        ends = place + 4 + int(text[place + 2 : place + 4])
        found[text[place : place + 2]] = text[place + 4 : ends]
        place = ends
    return found


def dynamic(*, amount: int, merchant_id: str, reference: str, acquirer: str) -> str:
    """A code for one payment of whole rupiah; `reference` is the acquirer's own."""
    domain, prefix = ACQUIRERS[acquirer]
    digits = "".join(letter for letter in merchant_id if letter.isdigit())
    account = element("00", domain) + element("01", prefix + digits.zfill(11)[-11:]) + element("02", merchant_id[:15])
    national = element("00", "ID.CO.QRIS.WWW") + element("02", f"ID{digits.zfill(13)[-13:]}") + element("03", "UMI")
    parts = [
        element("00", "01"),
        element("01", "12"),
        element("26", account + element("03", "UMI")),
        element("51", national),
        element("52", "5812"),
        element("53", "360"),
        element("54", str(amount)),
        element("58", "ID"),
        element("59", "WARUNG CONTOH"),
        element("60", "BANDUNG"),
        element("61", "40115"),
        element("62", element("01", reference[:25]) + element("07", "A01")),
        "6304",
    ]
    text = "".join(parts)
    return text + crc(text)


@dataclass(frozen=True)
class Read:
    """What a phone shows of a code. `amount` is as it is written there; None where the payer types it."""

    merchant: str
    city: str
    amount: str | None


def read(text: str) -> Read:
    """Raises ValueError that says why a phone would not take it."""
    if len(text) < 8 or text[-8:-4] != "6304" or text[-4:] != crc(text[:-4]):
        raise ValueError("its checksum is wrong")
    values = dict(_elements(text))
    if values.get("00") != "01" or values.get("58") != "ID" or values.get("53") != "360":
        raise ValueError("it is not a code of Indonesia, in rupiah")
    amount = values.get("54")
    if amount is not None and not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2})?", amount):
        raise ValueError("its amount is none")
    return Read(values.get("59", ""), values.get("60", ""), amount)


def _elements(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        name, length = text[place : place + 2], text[place + 2 : place + 4]
        value = text[place + 4 : place + 4 + int(length)] if re.fullmatch("[0-9]{2}", length) else None
        if value is None or len(value) != int(length):
            raise ValueError("it breaks off")
        yield name, value
        place += 4 + len(value)
