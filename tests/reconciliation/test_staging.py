"""Lines on their way into the database, as objects of an adapter and as plain rows of a long file."""

from datetime import UTC, datetime

import pytest
from django.db import transaction
from psycopg import DataError

from core.money import Money
from payments.providers.base import ReceiptKind, Word
from payments.providers.statements import StatementLine
from reconciliation import staging
from reconciliation.models import StagedLine
from reconciliation.staging import StagedRow

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 21, 12, 30, 15, 250000, tzinfo=UTC)


def kept():
    rows = StagedLine.objects.order_by("pk").values_list(*staging._COLUMNS)
    return [tuple(row) for row in rows]


def test_a_line_and_a_plain_row_are_kept_alike():
    line = StatementLine(
        kind=ReceiptKind.REFUND,
        money=Money(25_000, "KES"),
        provider_money_id="A1",
        reference="LUNCH",
        word=Word.PENDING,
        provider_status="Pending",
        at=AT,
        payer_hint="2547•••111",
        fee=Money(250, "KES"),
    )
    row = StagedRow(
        "refund",
        "A1",
        25_000,
        "KES",
        "LUNCH",
        "pending",
        "Pending",
        AT,
        "2547•••111",
        fee_amount=250,
        fee_currency="KES",
    )
    assert staging.stage("run_1", [line, row]) == 2
    assert kept() == [("run_1", *row)] * 2


def test_what_is_not_said_is_empty_and_the_fee_unknown():
    staging.stage(
        "run_1", [StatementLine(ReceiptKind.CAPTURE, Money(1, "JPY"), "A1"), StagedRow("capture", "A1", 1, "JPY")]
    )
    assert kept() == [("run_1", "capture", "A1", 1, "JPY", "", "succeeded", "", None, "", None, "", "", "", "")] * 2


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\\b", "\\N", "", "'; --", "é•"])
def test_texts_come_in_as_they_are(text):
    staging.stage("run_1", [StagedRow("capture", "A1", 2**62, "KES", reference=text)])
    [row] = kept()
    assert (row[3], row[5]) == (2**62, text)


def test_a_text_that_is_longer_than_its_column_is_refused_with_everything_of_its_copy():
    rows = [StagedRow("capture", "A1", 1, "KES"), StagedRow("capture", "A2", 1, "KES", payer_hint="x" * 33)]
    with pytest.raises(DataError), transaction.atomic():
        staging.stage("run_1", rows)
    assert kept() == []
