"""Fields of staff's forms."""

import pytest
from django import forms

from core.admin_fields import ById
from merchants.models import DisplayToken, FeeSchedule, ProviderAccount
from reconciliation.models import Upload
from tests import factories, staff

pytestmark = pytest.mark.django_db


class _Form(forms.Form):
    account = ById(ProviderAccount.objects.all())


def test_a_row_is_given_by_its_id_and_none_is_offered():
    account = factories.ProviderAccountFactory()
    form = _Form({"account": f" {account.pk}\n"})
    assert (form.is_valid(), form.cleaned_data["account"]) == (True, account)
    assert account.pk not in _Form().as_p()
    assert "The id of the provider account" in _Form().as_p()


@pytest.mark.parametrize("wrong", ["acct_unknown", "a" * 5000])
def test_an_id_that_is_nobody_s_is_refused_by_name(wrong):
    [told] = _Form({"account": wrong}).errors["account"]
    assert told == f"There is no provider account `{wrong}`: copy the id from its page."
    assert _Form({"account": " "}).errors["account"] == ["This field is required."]


@pytest.mark.parametrize("kind", [DisplayToken, FeeSchedule, Upload])
def test_no_form_offers_the_stores_and_accounts_of_every_merchant(kind):
    rows = [factories.StoreFactory(), factories.ProviderAccountFactory()]
    options = kind._meta
    shown = staff.signed_in(f"{options.app_label}.add_{options.model_name}").get(staff.adding(kind))
    assert shown.status_code == 200
    assert [row.pk for row in rows if row.pk in shown.text] == []
