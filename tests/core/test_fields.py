"""Model fields that carry a rule of the house."""

import pytest
from django.db import IntegrityError, connection, transaction

from core import ids
from core.fields import PublicIdField, SealedField, state_field, state_is_known
from core.states import Machine
from merchants.models import Merchant
from payments.models import Payment
from tests import factories

MACHINE = Machine(start="open", edges={"open": ["shut_down"], "shut_down": []})


def test_a_public_id_is_made_on_construction_and_cannot_be_edited():
    field = PublicIdField(prefix="mer")
    assert ids.is_id(field.get_default(), "mer")
    assert field.primary_key
    assert not field.editable
    assert ids.is_id(Merchant(name="x").pk, "mer")


def test_a_migration_of_a_public_id_tells_its_prefix_and_nothing_derived():
    _, path, arguments, options = PublicIdField(prefix="mer").deconstruct()
    assert (path, list(arguments), options) == ("core.fields.PublicIdField", [], {"prefix": "mer"})


@pytest.mark.django_db
def test_public_ids_sort_by_byte_whatever_the_databases_language_is():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT collation_name FROM information_schema.columns WHERE table_name = %s AND column_name = 'id'",
            [Payment._meta.db_table],
        )
        assert cursor.fetchone() == ("C",)


def test_a_sealed_field_is_null_until_sealed_and_never_on_a_form():
    field = SealedField()
    assert field.null
    assert not field.editable


def test_a_state_field_starts_where_its_machine_does_and_offers_its_states():
    field = state_field(MACHINE)
    assert field.default == "open"
    assert not field.editable
    assert field.choices == [("open", "open"), ("shut_down", "shut down")]


def test_the_database_refuses_a_state_that_the_machine_does_not_know():
    constraint = state_is_known(MACHINE, name="door_state_is_known")
    assert constraint.name == "door_state_is_known"
    assert dict(constraint.condition.children) == {"state__in": ["open", "shut_down"]}


@pytest.mark.django_db
def test_an_unknown_state_is_refused_by_the_table_itself():
    payment = factories.PaymentFactory()
    with pytest.raises(IntegrityError, match="payment_state_is_known"), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(state="ajar")
