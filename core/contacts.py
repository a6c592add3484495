"""Contact data in one written form each, so that it can be compared; and masked, so that it can be shown."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

_NOT_A_PHONE = "is not a phone number"
_SHORT, _WORDS = 10, 4


def phone(text: str, *, region: str = "") -> str:
    """The number in E.164, such as +254711000111. `region` (ISO 3166, KE) reads one without a country code.

    Raises ValueError that says what is wrong with it, without the number.
    """
    try:
        number = phonenumbers.parse(text, region or None)
    except NumberParseException as error:
        unplaced = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        raise ValueError("must begin with + and a country code" if unplaced else _NOT_A_PHONE) from None
    if number.extension or not phonenumbers.is_possible_number(number):
        raise ValueError(_NOT_A_PHONE)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def is_phone(text: object) -> bool:
    """Whether the text is, with + and country code, a number that its country gives out."""
    if not isinstance(text, str) or not text.strip().startswith("+"):
        return False
    try:
        number: PhoneNumber = phonenumbers.parse(text, None)
    except NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))


def is_region(code: str) -> bool:
    """Whether phone numbers can be read for the country of that ISO 3166 code."""
    return code in phonenumbers.SUPPORTED_REGIONS


def email(text: str) -> str:
    """The address as it is compared: providers that tell capitals apart are not met with."""
    return text.strip().casefold()


def masked_phone(number: str) -> str:
    """Of a number in E.164 the beginning and the end; of a short one only the beginning."""
    return f"{number[:5]}•••{number[-3:]}" if len(number) > _SHORT else f"{number[:3]}•••"


def masked_email(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def masked_name(name: str) -> str:
    """The first letter of the first few words."""
    return " ".join(f"{word[0]}•••" for word in name.split()[:_WORDS])
