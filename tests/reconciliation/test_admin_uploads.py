"""Staff's pages of uploaded statements."""

import pytest
from django.urls import reverse

from events import work
from reconciliation import runs, uploads
from reconciliation.mapping import Reading
from reconciliation.models import Run, StatementMapping, Upload
from tests import factories, staff
from tests.reconciliation.files import READING, csv_of, given, keep, line_of, read

pytestmark = pytest.mark.django_db(transaction=True)

MAY = ("reconciliation.view_upload", "reconciliation.add_upload", "reconciliation.map_upload")
FORM = READING | {"decimal": ".", "thousands": ",", "time_format": "ISO", "delimiter": ""}


@pytest.fixture
def account():
    return factories.ProviderAccountFactory(mpesa=True)


def upload_by(client, account, content, **more):
    asked = {"account": account.pk, "purpose": "provider", "file": given(content), **more}
    return client.post(staff.adding(Upload), asked)


def page(upload, name):
    return reverse(f"admin:reconciliation_upload_{name}", args=[upload.pk])


def test_a_first_file_leads_to_its_columns_and_from_there_it_is_read(account):
    client = staff.signed_in(*MAY)
    answer = upload_by(client, account, csv_of(line_of("A1", account="Café"), line_of("A2", "lots")))
    upload = Upload.objects.get()
    assert answer.url == page(upload, "mapping")
    assert "needs a mapping" in client.get(staff.listing(upload)).text
    shown = client.get(answer.url).text
    for told in ('<option value="Paid in">', "Café", "lots"):
        assert told in shown

    shown = client.post(answer.url, FORM | {"show": ""}).text
    for told in ("KES 250.00", "unreadable", "amount: is not written as the mapping says"):
        assert told in shown
    assert (StatementMapping.objects.count(), Run.objects.count()) == (0, 0)

    assert client.post(answer.url, FORM | {"save": ""}).url == staff.page(upload)
    work.drain(runs.QUEUE)
    told = client.get(staff.page(upload)).text
    for word in (
        "1 line read",
        "Lines that could not be read: 1",
        "Found: 1 lines, 1 missing here.",
        "amount: is not written as the mapping says",
    ):
        assert word in told


def test_the_rows_of_a_file_are_shown_to_who_uploaded_it_alone(account):
    upload = keep(account, csv_of(line_of("A1", account="Zawadi")))
    other = staff.signed_in(*MAY, username="bo")
    for shown in (
        other.get(page(upload, "mapping")).text,
        other.post(page(upload, "mapping"), FORM | {"show": ""}).text,
    ):
        assert "only staff:amina, who has uploaded it, sees them here" in shown
        assert "Zawadi" not in shown
    assert "Zawadi" in staff.signed_in(*MAY).get(page(upload, "mapping")).text
    assert other.post(page(upload, "mapping"), FORM | {"save": ""}).url == staff.page(upload)


def test_a_file_of_a_mapped_account_is_read_at_once_and_a_second_time_changes_nothing(account):
    mapping_of(account)
    client = staff.signed_in(*MAY)
    upload_by(client, account, csv_of(line_of("A2")))
    upload_by(client, account, csv_of(line_of("A2")))
    assert Run.objects.filter(upload__digest=Upload.objects.latest("pk").digest).count() == 1
    assert "It was uploaded before" in client.get(staff.listing(Upload)).text


def mapping_of(account):
    return uploads.save_mapping(keep(account, "Receipt\n"), Reading.of(READING), by="staff:amina")


def test_a_page_of_a_file_that_is_being_read_tells_how_far_it_is(account):
    mapping_of(account)
    upload = keep(account, csv_of(*[line_of(f"A{n}") for n in range(9)]))
    runs.begin_file(upload, by="staff:amina")
    Run.objects.filter(upload=upload).update(cursor="5", lines=4)
    answer = staff.signed_in(*MAY).get(staff.page(upload))
    assert answer["Refresh"] == "5"
    for told in ("4 lines read, of about 10", 'aria-valuenow="50"'):
        assert told in answer.text


def test_lines_that_could_not_be_read_are_downloaded_as_csv(account):
    run = read(account, csv_of(line_of("A1", "lots")))
    answer = staff.signed_in(*MAY).get(page(run.upload, "unreadable"))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.getvalue().decode().splitlines() == ["line,why", "2,amount: is not written as the mapping says"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount": ""}, "This field is required"),
        ({"types": "Buy = gift", "type": "T"}, "`Buy = gift` is not"),
        ({"fee": "Paid in"}, "must name a column of its own"),
        ({"number": ""}, "money is compared by them"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_at_its_field(account, changes, told):
    upload = keep(account, csv_of(line_of("A1")))
    answer = staff.signed_in(*MAY).post(page(upload, "mapping"), FORM | changes | {"save": ""})
    assert told in answer.text
    assert (StatementMapping.objects.count(), Run.objects.count()) == (0, 0)


def test_words_of_types_and_states_are_kept_as_ours_and_shown_as_theirs(account):
    upload = keep(account, csv_of(line_of("A1")))
    client = staff.signed_in(*MAY)
    more = {"type": "T", "types": "Buy Goods = payment\nCharge = ignored", "state": "S", "states": "Done = succeeded"}
    client.post(page(upload, "mapping"), FORM | more | {"save": "", "delimiter": "tab"})
    kept = StatementMapping.objects.get().reading
    assert kept["types"] == {"Buy Goods": "capture", "Charge": "ignored"}
    assert (kept["states"], kept["delimiter"]) == ({"Done": "succeeded"}, "\t")
    work.drain(runs.QUEUE)
    assert "Buy Goods = payment\nCharge = ignored" in client.get(page(upload, "mapping")).text


def test_a_file_that_is_too_large_is_refused_with_its_limit(account, settings):
    settings.STATEMENT_MAX_BYTES = 1_048_576
    answer = upload_by(staff.signed_in(*MAY), account, b"a" * 1_200_000)
    assert "It is larger than 1.0 MB. Upload it in parts." in answer.text
    assert Upload.objects.count() == 0


def test_days_in_the_wrong_order_are_refused(account):
    answer = upload_by(staff.signed_in(*MAY), account, "a", covers_from="2026-11-20", covers_until="2026-11-19")
    assert "It is before the first day." in answer.text


def test_who_may_only_look_uploads_and_maps_nothing(account):
    upload = keep(account, csv_of(line_of("A1")))
    client = staff.signed_in("reconciliation.view_upload")
    assert upload_by(client, account, "x").status_code == 403
    assert client.get(page(upload, "mapping")).status_code == 403
    assert client.post(staff.page(upload, "read_again"), {"reason": "because"}).status_code == 403
    assert (Upload.objects.count(), Run.objects.count()) == (1, 0)
    assert staff.signed_in(username="bo").get(page(upload, "unreadable")).status_code == 403
