"""Staff's forms of uploaded statements: the file, and how its columns are read."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from core.admin_fields import ById
from core.money import EXPONENTS
from merchants.models import ProviderAccount
from payments.providers.base import ReceiptKind
from reconciliation.mapping import DELIMITERS, ISO, KINDS, SEPARATORS, WORDS, Reading
from reconciliation.models import Purpose
from reconciliation.uploads import Covered

_PAYMENT = "payment"
CALLED = {ReceiptKind.CAPTURE.value: _PAYMENT}
"""What people call a capture."""


class UploadForm(forms.Form):
    account = ById(ProviderAccount.objects.select_related("merchant").defer("credentials"))
    purpose = forms.ChoiceField(choices=Purpose.choices, widget=UnfoldAdminSelectWidget())
    file = forms.FileField(
        max_length=300, help_text="CSV or XLSX, as it was downloaded.", widget=UnfoldAdminFileFieldWidget()
    )
    covers_from = forms.DateField(
        required=False,
        label="First day that it covers",
        help_text="Empty: from its first line. What was booked within these days, and is not in the file, is missed.",
        widget=UnfoldAdminDateWidget(),
    )
    covers_until = forms.DateField(
        required=False,
        label="Last day that it covers",
        widget=UnfoldAdminDateWidget(),
        help_text="Empty: to its last line.",
    )

    def __init__(self, data: Any = None, files: Any = None, *, refused: str = "") -> None:
        """`refused` says why the file was not even taken in."""
        super().__init__(data, files)
        if refused:
            self.fields["file"].error_messages = {"required": refused}

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        first, last = given.get("covers_from"), given.get("covers_until")
        if first and last and last < first:
            self.add_error("covers_until", "It is before the first day.")
        return given

    @property
    def covered(self) -> Covered:
        return Covered(self.cleaned_data["covers_from"], self.cleaned_data["covers_until"])


def _column(label: str, help_text: str = "", *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "columns"}),
    )


class MappingForm(forms.Form):
    """The names of a file's columns as they stand in it, and how its words are written."""

    number = _column("Number", "The provider's number of the money; a bank's statement may lack it.")
    amount = _column("Amount", "Below zero, or in brackets: money that went back.", required=True)
    amount_out = _column("Amount out", "Where money that went back has a column of its own.")
    fee = _column("Fee")
    reference = _column("Reference", "Ours, or what the payer typed; in a bank's statement its description.")
    settlement = _column("Settlement", "The number of the payout that a line belongs to.")
    time = _column("Time")
    currency = _column("Currency")
    type = _column("Type")
    state = _column("State")
    only_currency = forms.ChoiceField(
        required=False,
        label="Currency of all lines",
        help_text="Where no column says it.",
        choices=[("", "---------"), *((code, code) for code in sorted(EXPONENTS))],
        widget=UnfoldAdminSelectWidget(),
    )
    decimal = forms.ChoiceField(
        label="Before decimals", choices=[(".", "point"), (",", "comma")], widget=UnfoldAdminSelectWidget()
    )
    thousands = forms.ChoiceField(
        required=False, label="Between thousands", choices=list(SEPARATORS.items()), widget=UnfoldAdminSelectWidget()
    )
    time_format = forms.CharField(
        max_length=50, help_text=f"{ISO}, or as %d/%m/%Y %H:%M:%S.", widget=UnfoldAdminTextInputWidget()
    )
    zone = forms.CharField(max_length=50, help_text="As Africa/Nairobi.", widget=UnfoldAdminTextInputWidget())
    delimiter = forms.ChoiceField(
        required=False,
        label="Between columns",
        choices=[(sign.replace("\t", "tab"), name) for sign, name in DELIMITERS.items()],
        widget=UnfoldAdminSelectWidget(),
    )
    types = forms.CharField(
        required=False,
        help_text="On each line a word of the column Type: `Buy Goods = payment`, `Reversal = refund`, "
        "`Charge = fee`, `Withdrawal = payout`, `Note = ignored`. A line with another word is told as unreadable.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )
    states = forms.CharField(
        required=False,
        help_text="On each line a word of the column State: `Completed = succeeded`, `Pending = pending`, "
        "`Declined = failed`. Another word is no success.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )

    def clean_types(self) -> dict[str, str]:
        told = _pairs(self.cleaned_data["types"], (_PAYMENT, *KINDS))
        return {word: ReceiptKind.CAPTURE.value if ours == _PAYMENT else ours for word, ours in told.items()}

    def clean_states(self) -> dict[str, str]:
        return _pairs(self.cleaned_data["states"], WORDS)

    def clean_delimiter(self) -> str:
        return str(self.cleaned_data["delimiter"]).replace("tab", "\t")

    def reading(self) -> Reading:
        """Raises ValueError that names the field in quotes."""
        return Reading.of(self.cleaned_data)


def initial(reading: Reading) -> dict[str, Any]:
    """What the form begins with, of a mapping that there is."""
    written = reading.written()
    types = {word: CALLED.get(ours, ours) for word, ours in reading.types.items()}
    return written | {
        "types": _lines(types),
        "states": _lines(dict(reading.states)),
        "delimiter": reading.delimiter.replace("\t", "tab"),
    }


def _lines(words: dict[str, str]) -> str:
    return "\n".join(f"{word} = {ours}" for word, ours in sorted(words.items()))


def _pairs(text: str, known: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, ours = (part.strip() for part in line.rpartition("="))
        if not word or ours not in known:
            raise forms.ValidationError(f"`{line}` is not `word = {'`, `word = '.join(known)}`.")
        found[word] = ours
    return found
