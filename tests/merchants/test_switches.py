"""Providers and accounts are switched off by one person at once, and on again by two."""

import pytest

from core.errors import Conflict
from events import approvals
from events.models import Approval, AuditEntry
from merchants import accounts, services, switches
from merchants.models import ProviderSwitch
from tests import staff
from tests.factories import ProviderAccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe():
    return next(row for row in switches.switches() if row.provider == "stripe")


def test_every_registered_provider_has_one_switch_and_it_is_on():
    assert [row.provider for row in switches.switches()] == list(accounts.everyone())
    assert {row.is_on for row in switches.switches()} == {True}
    assert ProviderSwitch.objects.count() == len(accounts.everyone())


def test_off_takes_one_person_and_on_again_takes_two(stripe):
    switches.switch_provider_off(stripe, by="staff:asha")
    stripe.refresh_from_db()
    assert (stripe.is_on, stripe.changed_by) == (False, "staff:asha")
    asked = switches.ask_for_provider(stripe, by="staff:asha", because="they are back")
    with pytest.raises(Conflict, match="yourself"):
        approvals.allow(asked, by="staff:asha", because="me")
    assert approvals.allow(asked, by="staff:juma", because="checked")
    stripe.refresh_from_db()
    assert (stripe.is_on, stripe.changed_by) == (True, "staff:juma")
    told = AuditEntry.objects.filter(object_id=stripe.pk, action__startswith="provider.").order_by("pk")
    assert [(row.action, row.actor) for row in told] == [
        ("provider.switched_off", "staff:asha"),
        ("provider.switched_on", "staff:juma"),
    ]


def test_what_was_asked_for_is_void_once_somebody_has_switched_it_meanwhile(stripe):
    switches.switch_provider_off(stripe, by="staff:asha")
    stripe.refresh_from_db()
    asked = switches.ask_for_provider(stripe, by="staff:asha", because="they are back")
    ProviderSwitch.objects.filter(pk=stripe.pk).update(revision=stripe.revision + 2)
    assert not approvals.allow(asked, by="staff:juma", because="checked")
    stripe.refresh_from_db()
    assert stripe.is_on is False


def test_what_is_on_is_not_asked_for_and_what_is_off_not_switched_off_again(stripe):
    with pytest.raises(Conflict, match="stripe is on"):
        switches.ask_for_provider(stripe, by="staff:asha", because="why not")
    switches.switch_provider_off(stripe, by="staff:asha")
    with pytest.raises(Conflict, match="switched meanwhile"):
        switches.switch_provider_off(stripe, by="staff:juma")


def test_an_account_is_switched_on_again_by_two_and_not_after_it_has_changed():
    account = ProviderAccountFactory()
    with pytest.raises(Conflict, match="is on"):
        switches.ask_for_account(account, by="staff:asha", because="why not")
    services.switch_account_off(account, by="staff:asha")
    asked = switches.ask_for_account(account, by="staff:asha", because="they are back")
    services.change_account(account, by="staff:asha", name="Another name")
    assert not approvals.allow(asked, by="staff:juma", because="checked")
    account.refresh_from_db()
    assert account.is_enabled is False
    assert approvals.allow(
        switches.ask_for_account(account, by="staff:asha", because="again"), by="staff:juma", because="checked"
    )
    account.refresh_from_db()
    assert account.is_enabled is True


def test_staff_do_it_on_their_pages(stripe):
    asha = staff.signed_in("merchants.view_providerswitch", "merchants.switch_provider")
    assert "mpesa" in asha.get(staff.listing(ProviderSwitch)).text
    asha.post(staff.page(stripe, "switch_off"), {"reason": "sanctions"})
    stripe.refresh_from_db()
    assert stripe.is_on is False
    asha.post(staff.page(stripe, "ask_to_switch_on"), {"reason": "lifted"})
    asked = Approval.objects.get()
    permissions = ("events.view_approval", "events.decide_approval")
    juma = staff.signed_in(*permissions, username="juma")
    assert "Switch a provider on again" in juma.get(staff.listing(Approval)).text
    answer = juma.post(staff.page(asked, "allow"), {"reason": "checked"}, follow=True)
    assert "needs the permission merchants.switch_provider" in answer.text
    stripe.refresh_from_db()
    assert stripe.is_on is False
    neema = staff.signed_in(*permissions, "merchants.switch_provider", username="neema")
    assert "Carried out" in neema.post(staff.page(asked, "allow"), {"reason": "checked"}, follow=True).text
    stripe.refresh_from_db()
    assert stripe.is_on is True
