"""Fields of staff's forms."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget


class ById(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic only in the stubs
    """A row, given by its id: there are too many of them, of too many merchants, to be offered in a list."""

    def __init__(self, queryset: Any, **options: Any) -> None:
        name = queryset.model._meta.verbose_name
        messages = {"invalid_choice": f"There is no {name} `%(value)s`: copy the id from its page."}
        told = {"help_text": f"The id of the {name}, as it stands on its page.", "error_messages": messages}
        super().__init__(queryset, widget=UnfoldAdminTextInputWidget(), **(told | options))

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.strip() if isinstance(value, str) else value)
