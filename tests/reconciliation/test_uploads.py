"""Uploaded files: kept once, read once, and compared with the books; what a file alone tells is booked by nobody."""

import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.conf import settings as house
from django.db import connection

from core import clock
from events import approvals, work
from events.models import Approval
from payments.models import Receipt, UnallocatedReceipt
from payments.providers.base import Word
from reconciliation import cases as people
from reconciliation import filing, progress, repairs, runs, staging, uploads
from reconciliation.mapping import Reading
from reconciliation.models import Discrepancy, Run, StagedLine, UnreadableLine, Upload, UploadPiece
from reconciliation.uploads import Covered
from tests import factories
from tests.payments.world import attention, audit_of
from tests.reconciliation.files import ALL, READING, csv_of, given, keep, line_of, read, reread, sheet_of
from tests.reconciliation.files import HEADER as HEADER_LINE
from tests.reconciliation.runs import booked, cases, line, match_listed

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
TODAY = "%Y-%m-%d %H:%M:%S"


@pytest.fixture
def account():
    return factories.ProviderAccountFactory(mpesa=True)


def at(hours):
    """A moment so many hours ago, as the files of these tests write it."""
    return (clock.now() - timedelta(hours=hours)).strftime(TODAY)


def figures(run):
    return (run.phase, run.lines, run.counts.get("matched"), run.counts.get("missing_here"), run.upload.unreadable)


def unreadable(upload):
    return list(UnreadableLine.objects.filter(upload=upload).order_by("number").values_list("number", "reason"))


# What is kept


def test_a_file_is_kept_sealed_and_its_row_says_what_it_is(account):
    upload = keep(account, csv_of(line_of("A1", account="254711000111")))
    assert (upload.name, upload.format, upload.encoding, upload.about_lines) == ("statement.csv", "csv", "utf-8", 2)
    [piece] = UploadPiece.objects.all()
    assert b"254711000111" not in bytes(piece.content)
    assert [cells for _, cells in uploads.first_rows(upload)][1][2] == "254711000111"
    [entry] = audit_of("reconciliation.uploaded")
    assert (entry.actor, entry.object_id, entry.detail["digest"]) == ("staff:amina", upload.pk, upload.digest)


def test_the_same_file_twice_changes_nothing(account):
    content = csv_of(line_of("A1"))
    first = read(account, content)
    again, is_new = uploads.keep(
        account, given(content, "another name.csv"), purpose="provider", covered=Covered(), by="staff:bo"
    )
    assert (again.pk, is_new, Upload.objects.count(), UploadPiece.objects.count()) == (first.upload_id, False, 1, 1)
    assert (Run.objects.count(), len(audit_of("reconciliation.uploaded"))) == (1, 1)


def test_the_same_file_of_another_account_or_purpose_is_another(account):
    content = csv_of(line_of("A1"))
    other = factories.ProviderAccountFactory(mpesa=True, merchant=account.merchant)
    kept = {keep(account, content).pk, keep(other, content).pk, keep(account, content, purpose="bank").pk}
    assert len(kept) == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "'file' is empty"),
        (b"x" * 3000, "'file' has 0.0 MB, and at most 0.0 MB are taken"),
        (b"a,b\n" * 21, "'file' has 21 lines, and at most 20 are taken: upload it in parts"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "'file' is neither a CSV nor an XLSX"),
        (b"PK\x03\x04 and no more", "'file': The file is cut"),
    ],
)
def test_what_cannot_be_taken_is_refused_before_anything_is_kept(account, settings, content, told):
    settings.STATEMENT_MAX_BYTES, settings.STATEMENT_MAX_LINES = 2048, 20
    with pytest.raises(ValueError, match=f"^{told}"):
        keep(account, content)
    assert (Upload.objects.count(), UploadPiece.objects.count()) == (0, 0)


def test_a_workbook_of_too_many_rows_ends_its_run_and_nothing_of_it_counts(account, settings):
    settings.STATEMENT_MAX_LINES = 3
    run = read(account, sheet_of(["Receipt", "Paid in"], *[[f"A{n}", 5] for n in range(4)]), reference="", time="")
    assert (run.phase, run.problem) == ("finished", "The file has more than 3 lines. Upload it in parts.")
    assert (StagedLine.objects.count(), cases()) == (0, [])


def test_contents_are_forgotten_after_a_while_and_their_row_stays(account, settings):
    run = read(account, csv_of(line_of("A1")))
    waiting = keep(account, csv_of(line_of("A2")))
    uploads.save_mapping(waiting, Reading.of(READING), by="staff:amina")
    runs.begin_file(waiting, by="staff:amina")
    Run.objects.filter(upload=waiting).update(created_at=clock.now() + timedelta(hours=1))
    assert uploads.purge() == 0
    with clock.shifted(settings.STATEMENT_FILES_KEPT + timedelta(minutes=1)):
        assert uploads.purge() == 1
    assert UploadPiece.objects.get().upload_id == waiting.pk
    assert Upload.objects.get(pk=run.upload_id).forgotten_at is not None


def test_a_file_whose_run_does_not_come_to_its_end_is_forgotten_too_and_misses_nothing(account, settings, monkeypatch):
    booked(account, number="B1")
    monkeypatch.setattr(filing, "_AT_ONCE", 1)
    upload = keep(account, csv_of(line_of("A1", at=at(30)), line_of("A2", at=at(1))))
    uploads.save_mapping(upload, Reading.of(READING), by="staff:amina")
    begun = runs.begin_file(upload, by="staff:amina")
    pieces = filing._pieces(Upload.objects.get(pk=upload.pk), Reading.of(READING), after=0)
    run, _ = filing._keep(filing._begun(progress.find(begun)), next(pieces))
    assert run.lines == 1
    with clock.shifted(settings.STATEMENT_FILES_KEPT + timedelta(minutes=1)):
        assert uploads.purge() == 1
        work.drain(runs.QUEUE)
    ended = Run.objects.select_related("upload").get(pk=begun.pk)
    assert (ended.phase, ended.lines, ended.upload.is_cut) == ("finished", 1, True)
    assert "contents were forgotten" in ended.upload.fault
    assert ended.counts["missing_there"] == 0


def test_a_day_that_no_file_covers_is_refused_at_its_field(account):
    for name, day in (("last", date(9999, 12, 31)), ("first", date(1, 1, 1))):
        with pytest.raises(ValueError, match=f"^'covers_{'until' if name == 'last' else 'from'}'"):
            keep(account, csv_of(line_of("A1")), covered=Covered(**{name: day}))
    assert not Upload.objects.exists()


# What is read and compared


def test_good_lines_are_compared_and_bad_ones_are_listed_with_why(account):
    booked(account, "A1")
    run = read(
        account,
        csv_of(line_of("A1", at=at(6)), line_of("A2", "lots"), line_of(""), "", line_of("A3", at="yesterday"), "A4"),
    )
    assert figures(run) == ("finished", 1, 1, 0, 4)
    assert unreadable(run.upload) == [
        (3, "amount: is not written as the mapping says"),
        (4, "number: there is none"),
        (6, "time: is not written as the mapping says"),
        (7, "amount: there is none"),
    ]
    assert (run.upload.fault, run.upload.is_cut, cases()) == ("", False, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_statement_in_another_encoding_or_with_a_mark_is_the_same_statement(account, encoding):
    run = read(account, csv_of(line_of("A1", account="Café"), header=HEADER_OF_A_CAFE).encode(encoding))
    assert (run.phase, run.lines, run.upload.unreadable, run.upload.fault) == ("finished", 1, 0, "")
    assert StagedLine.objects.get().reference == "Café"


HEADER_OF_A_CAFE = "Receipt,Completed,Account,Paid in,Café"


def test_thousands_separators_are_read_as_the_mapping_says(account):
    booked(account, "A1", 125_050)
    content = (
        "Receipt;Completed;Account;Paid in\nA1;2026-11-20 10:00:00;L;1.250,50\nA2;2026-11-20 10:00:00;L;1,250.50\n"
    )
    run = read(account, content, decimal=",", thousands=".")
    assert figures(run) == ("finished", 1, 1, 0, 1)
    assert unreadable(run.upload) == [(3, "amount: is not written as the mapping says")]


def test_the_header_may_stand_below_other_lines(account):
    content = "Organisation,Shop\nShort code,600111\n\n" + csv_of(line_of("A1"))
    assert read(account, content).lines == 1


def test_a_file_without_the_mappings_columns_says_which_are_missing(account):
    run = read(account, "Receipt,Completed,Account,Amount\nA1,,,1\n")
    assert (run.phase, run.lines, cases()) == ("finished", 0, [])
    assert run.problem == "None of the first 50 lines names the columns of the mapping: there is no column Paid in."


def test_a_file_that_is_cut_in_half_is_named_as_such_and_what_it_lacks_is_not_missed(account):
    booked(account, "A1")
    booked(account, "A2")
    whole = csv_of(line_of("A1", at=at(6)), line_of("A2", at=at(6)))
    today = clock.now().date()
    run = read(account, whole[:-10], covered=Covered(today - timedelta(days=2), today))
    assert (run.phase, run.lines, run.counts["matched"], run.counts["missing_there"]) == ("finished", 1, 1, 0)
    assert run.upload.is_cut
    assert "its line 3 is not whole" in run.upload.fault
    assert cases() == []


def test_what_was_booked_within_the_days_that_a_file_covers_is_missed_there(account):
    booked(account, "A1")
    booked(account, "A2")
    booked(account, "A3", created_at=clock.now() - timedelta(days=9))
    booked(account, "A4", source="reconciliation")
    today = clock.now().date()
    run = read(account, csv_of(line_of("A1", at=at(6))), covered=Covered(today - timedelta(days=2), today))
    assert (run.counts["matched"], run.counts["missing_there"]) == (1, 1)
    assert cases() == [("missing_there", "A2", "open")]
    assert attention() == [(account.pk, "discrepancy")]


def test_money_whose_line_could_not_be_read_is_not_missed(account):
    booked(account, "A1")
    booked(account, "A2")
    today = clock.now().date()
    covered = Covered(today - timedelta(days=2), today)
    run = read(account, csv_of(line_of("A1", "lots"), line_of("", "1.00")), covered=covered)
    assert (run.counts["missing_there"], cases()) == (1, [("missing_there", "A2", "open")])
    assert run.totals == {"KES": {"listed": 0, "booked": 25_000, "repaired": 0}}


@pytest.mark.parametrize("covered", [ALL, Covered(date(2026, 1, 1), None), Covered(None, date(2026, 11, 20))])
def test_a_file_that_does_not_say_of_which_time_it_is_misses_nothing(account, covered):
    booked(account, "A1")
    for content in (csv_of(), csv_of(line_of("A1", "lots"))):
        run = read(account, content, covered=covered)
        assert (run.phase, run.counts["missing_there"], cases()) == ("finished", 0, [])


def test_what_only_a_file_told_of_is_explained_once_it_is_booked(account):
    read(account, csv_of(line_of("A1", at=at(6))))
    booked(account, "A1")
    read(account, csv_of(line_of("A2", at=at(6))))
    assert cases() == [("missing_here", "A1", "explained"), ("missing_here", "A2", "open")]


def test_a_line_whose_money_was_booked_long_before_is_no_news(account):
    booked(account, "A1", created_at=clock.now() - timedelta(days=90))
    booked(account, "A2", 100, created_at=clock.now() - timedelta(days=90))
    run = read(account, csv_of(line_of("A1", at=at(6)), line_of("A2", at=at(6))))
    assert (run.counts["matched"], run.counts["amount"], cases()) == (1, 1, [("amount", "A2", "open")])


def test_a_workbook_is_read_like_a_csv(account):
    booked(account, "A1")
    moment = (clock.now() - timedelta(hours=6)).replace(tzinfo=None)
    content = sheet_of(HEADER, ["A1", moment, "L", 250], ["A2", moment, "=1+1", "1,000.00"], ["A3", moment, "L", None])
    run = read(account, content, zone="UTC")
    assert figures(run) == ("finished", 2, 1, 1, 1)
    assert unreadable(run.upload) == [(4, "amount: there is none")]


HEADER = HEADER_LINE.split(",")


def test_a_thousands_separator_that_cuts_an_amount_in_two_is_told_and_not_read_as_less(account):
    run = read(account, csv_of(line_of("A1", "1,250.00"), line_of("A2", '"1,250.00"')))
    assert unreadable(run.upload) == [
        (2, "line: has more cells than the header; is there a sign between columns within one?")
    ]
    assert [(case.key, case.listed_amount) for case in Discrepancy.objects.all()] == [("A2", 125_000)]


def test_a_file_is_read_again_with_another_mapping_and_counts_once(account):
    run = read(account, csv_of(line_of("A1", '"1.250,00"')))
    assert (run.lines, run.upload.unreadable) == (0, 1)
    uploads.save_mapping(run.upload, Reading.of(READING | {"decimal": ",", "thousands": "."}), by="staff:amina")
    again = reread(run.upload)
    assert (again.lines, again.upload.unreadable, again.upload.run, unreadable(run.upload)) == (1, 0, again.pk, [])
    reread(run.upload)
    assert cases() == [("missing_here", "A1", "open")]


def test_files_do_not_change_where_the_providers_own_list_is_read_next(account):
    read(account, csv_of(line_of("A1", at=at(-500))))
    begun = runs.begin(account, occasion=Run.Occasion.OFTEN, by="test")
    assert begun.since > clock.now() - timedelta(hours=4)


# What is missing here is booked by the provider's own list, or by two people


def test_nothing_is_booked_by_a_file_alone(account):
    run = read(account, csv_of(line_of("A1", at=at(6))))
    assert (run.counts["missing_here"], run.repaired, Receipt.objects.count()) == (1, 0, 0)
    assert not Discrepancy.objects.get().confirmed
    assert repairs.repair_some(run, after="") == ""


def test_what_two_people_closed_while_only_a_file_told_of_it_is_booked_once_the_provider_lists_it(account):
    read(account, csv_of(line_of("A1", at=at(6))))
    closed = {"outcome": "closed", "closed_at": clock.now(), "proposed_by": "amina", "closed_by": "juma"}
    Discrepancy.objects.update(**closed)
    run = match_listed(account, line("A1", reference="TABLE"))
    repairs.repair_some(run, after="")
    assert cases() == [("missing_here", "A1", "repaired")]
    assert UnallocatedReceipt.objects.count() == 1


def test_what_the_providers_own_list_confirms_is_booked_as_that_list_has_it(account):
    read(account, csv_of(line_of("A1", "999.00", at=at(6))))
    run = match_listed(account, line("A1", reference="TABLE"))
    repairs.repair_some(run, after="")
    assert cases() == [("missing_here", "A1", "repaired")]
    [unallocated] = UnallocatedReceipt.objects.all()
    assert (unallocated.money.amount, unallocated.reference) == (25_000, "TABLE")


def test_what_the_providers_own_list_has_found_no_file_explains_away(account):
    booked(account, "A1")
    booked(account, "A2")
    match_listed(account, line("A2", word=Word.PENDING))
    read(account, csv_of(line_of("A1", at=at(6)), line_of("A2", at=at(6))))
    assert cases() == [("missing_there", "A1", "open"), ("state", "A2", "open")]
    match_listed(account, line("A1"), line("A2"))
    assert cases() == [("missing_there", "A1", "explained"), ("state", "A2", "explained")]


def test_what_one_file_missed_another_explains(account):
    booked(account, "A1")
    today = clock.now().date()
    read(account, csv_of(line_of("A9", at=at(6))), covered=Covered(today - timedelta(days=2), today))
    read(account, csv_of(line_of("A1", at=at(6))))
    assert ("missing_there", "A1", "explained") in cases()


def test_two_people_book_what_only_a_file_tells_of(account):
    read(account, csv_of(line_of("A1", at=at(6))))
    case = Discrepancy.objects.get()
    people.ask_to_book(case, by="staff:amina", because="seen in the portal")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="so have I")
    [unallocated] = UnallocatedReceipt.objects.select_related("receipt")
    case.refresh_from_db()
    assert (case.outcome, case.booked_as, case.closed_by) == ("booked", unallocated.pk, "staff:bo")
    assert (unallocated.receipt.provider_money_id, unallocated.money.amount) == ("A1", 25_000)
    assert len(audit_of("reconciliation.booked")) == 1
    assert (account.pk, "discrepancy") not in attention()


def test_its_maker_does_not_book_it_alone(account):
    read(account, csv_of(line_of("A1", at=at(6))))
    case = Discrepancy.objects.get()
    people.ask_to_book(case, by="staff:amina", because="seen in the portal")
    with pytest.raises(Exception, match="Somebody else has to allow it"):
        approvals.allow(Approval.objects.get(), by="staff:amina", because="quick")
    assert (Receipt.objects.count(), cases()) == (0, [("missing_here", "A1", "open")])


# Killed


LINES = 60_000
PROGRAM = """
import django
django.setup()
from events import work
from reconciliation import runs
work.drain(runs.QUEUE)
"""


def test_a_worker_that_is_killed_in_the_middle_of_a_file_doubles_nothing_and_the_next_finishes(account):
    """Every tenth line is unreadable, and none has moved any money, so that nothing but reading takes time."""
    lines = [line_of(f"A{n:06}", "many" if n % 10 == 0 else "1.00", account="Held") for n in range(LINES)]
    upload = keep(account, csv_of(*lines))
    states = {"state": "Account", "states": {"Completed": "succeeded"}, "reference": ""}
    uploads.save_mapping(upload, Reading.of(READING | states), by="staff:amina")
    run = runs.begin_file(upload, by="staff:amina")
    kill_in_the_middle(run)
    run.refresh_from_db()
    upload.refresh_from_db()
    before = int(run.cursor)
    assert (run.phase, 0 < before < LINES) == ("reading", True)
    assert run.lines + upload.unreadable == before - 1
    assert StagedLine.objects.filter(run=run.pk, kind="capture").count() == run.lines

    with clock.shifted(house.WORK_LEASE + timedelta(minutes=1)):
        work.drain(runs.QUEUE)
    run.refresh_from_db()
    upload.refresh_from_db()
    assert (run.phase, run.lines, upload.unreadable, run.counts["lines"]) == ("finished", 54_000, 6_000, 54_000)
    assert (
        StagedLine.objects.filter(run=run.pk, kind="capture").values("provider_money_id").distinct().count() == 54_000
    )
    assert UnreadableLine.objects.filter(upload=upload).count() == 6_000


def kill_in_the_middle(run):
    """A process of its own reads, and is killed once something of the file has been kept."""
    environment = os.environ | {
        "DATABASE_URL": os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + connection.settings_dict["NAME"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "REDIS_URL": house.REDIS_URL,
    }
    worker = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment)
    try:
        ends_at = time.monotonic() + 120
        while Run.objects.values_list("cursor", flat=True).get(pk=run.pk) in ("", "0"):
            assert time.monotonic() < ends_at
            assert worker.poll() is None
            time.sleep(0.005)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def claimed(run):
    """The run as the worker has it that has just claimed it."""
    Run.objects.filter(pk=run.pk).update(claim=uuid.uuid4(), due_at=clock.now() + timedelta(seconds=1))
    return progress.find(run)


def mapped(account, content):
    upload = keep(account, content)
    uploads.save_mapping(upload, Reading.of(READING | {"time": "", "reference": ""}), by="staff:amina")
    return runs.begin_file(upload, by="staff:amina")


def test_who_reads_a_long_file_keeps_its_lease(account):
    run = claimed(mapped(account, sheet_of(["Receipt", "Paid in"], *[[f"A{n}", 5] for n in range(5_100)])))
    read_on = filing.read_some(run, run.upload)
    assert (read_on.phase, read_on.lines) == ("matching", 5_100)
    run.refresh_from_db()
    assert run.due_at > clock.now() + house.WORK_LEASE / 2


def test_who_has_lost_the_lease_keeps_nothing_more(account):
    late = claimed(mapped(account, csv_of(line_of("A1"))))
    claimed(late)
    assert filing.read_some(late, late.upload).lines == 0
    assert StagedLine.objects.count() == 0


def test_lines_of_a_file_are_forgotten_like_others(account, settings):
    read(account, csv_of(line_of("A1")))
    with clock.shifted(settings.STATEMENT_LINES_KEPT + timedelta(minutes=1)):
        assert staging.purge() == 1


def test_the_days_that_a_file_covers_are_those_of_its_zone(account):
    run = read(account, csv_of(line_of("A1")), covered=Covered(date(2026, 11, 20), date(2026, 11, 20)))
    assert [run.since.isoformat(), run.until.isoformat()] == ["2026-11-19T21:00:00+00:00", "2026-11-20T21:00:00+00:00"]
