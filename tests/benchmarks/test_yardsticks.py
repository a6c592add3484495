"""The yardsticks write our rows by hand: a new column without a default must not wait for `make bench` to be found."""

import psycopg
import pytest
from django.db import connection

from benchmarks import yardstick_create
from payments.models import Payment

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_yardstick_of_create_writes_every_row_that_we_write():
    given = connection.settings_dict
    where = {"dbname": given["NAME"], "user": given["USER"], "password": given["PASSWORD"]}
    with psycopg.connect(**where, host=given["HOST"], port=given["PORT"] or None) as bare:
        for statement in yardstick_create.SEED:
            bare.execute(statement, {"merchant": yardstick_create.MERCHANT, "account": yardstick_create.ACCOUNT})
        yardstick_create.pay(bare, yardstick_create.values("0" * 26, 1000))
    assert Payment.objects.get().state == "succeeded"
