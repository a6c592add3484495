"""Staff's pages of the books: accounts and their statements, transfers, and the trial balance."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal

import openpyxl
import pytest
from django.urls import reverse

from core import clock
from ledger import admin_statement, balances
from ledger.chart import Kind
from ledger.facts import Fact
from ledger.models import Account, Entry, Transfer
from ledger.posting import Books
from tests import staff
from tests.factories import PaymentFactory, ProviderAccountFactory
from tests.ledger.books import account_of, booked, new_books

pytestmark = pytest.mark.django_db

TRIAL_BALANCE = "/admin/ledger/account/trial-balance/"
MAY = ("ledger.view_account", "ledger.view_transfer")


@pytest.fixture
def books():
    return new_books()


@pytest.fixture
def client(db):
    return staff.signed_in(*MAY)


def shown(client, path, **asked):
    answer = client.get(path, asked)
    assert answer.status_code == 200
    return answer.text


# Lists and pages


@pytest.mark.parametrize("model", [Account, Transfer])
def test_list_and_page_show_the_row(client, books, model):
    booked(books, 100_000)
    row = model.objects.first()
    assert staff.page(row) in shown(client, staff.listing(model))
    assert row.pk in shown(client, staff.page(row))


@pytest.mark.parametrize("model", [Account, Transfer])
def test_a_list_takes_as_many_queries_for_25_rows_as_for_two(client, books, model):
    booked(books, 100_000)
    few = staff.queries(client, staff.listing(model))
    for _ in range(24):
        booked(new_books(), 100_000)
    assert staff.queries(client, staff.listing(model)) == few


@pytest.mark.parametrize("model", [Account, Transfer])
def test_a_page_takes_as_many_queries_for_many_lines_as_for_one(client, books, model):
    booked(books, 100_000)
    row = account_of(books) if model is Account else Transfer.objects.get()
    few = staff.queries(client, staff.page(row))
    for _ in range(20):
        booked(books, 100_000)
    assert staff.queries(client, staff.page(row)) == few


@pytest.mark.parametrize("model", [Account, Transfer])
def test_nothing_is_changed_added_or_deleted_by_form(books, model):
    booked(books, 100_000)
    client = staff.signed_in(superuser=True)
    row = model.objects.first()
    assert client.post(staff.page(row), {"posted": 1, "cause": "pay_2"}).status_code == 403
    assert client.post(staff.page(row, "delete"), {"post": "yes"}).status_code == 403
    assert client.get(staff.adding(model)).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [Account, Transfer])
def test_the_books_are_seen_only_by_those_who_may(books, model):
    booked(books, 100_000)
    client = staff.signed_in("payments.view_payment")
    assert client.get(staff.listing(model)).status_code == 403
    assert client.get(staff.page(model.objects.first())).status_code == 403


# Accounts


def test_an_account_shows_what_it_holds_what_is_reserved_and_what_is_available(client, books):
    booked(books, 100_000)
    booked(books, 30_050, Fact.REFUND_RESERVED)
    for path in (staff.listing(Account), staff.page(account_of(books))):
        text = shown(client, path)
        assert all(money in text for money in ("KES 1,000.00", "KES 300.50", "KES 699.50"))
    assert "What the merchant is to have, wherever the money is now." in shown(client, staff.page(account_of(books)))


def test_an_accounts_owner_is_linked(client):
    owner = ProviderAccountFactory()
    booked(Books(merchant=owner.merchant_id, account=owner.pk, livemode=False), 100_000)
    text = shown(client, staff.listing(Account))
    assert staff.page(owner) in text
    assert staff.page(owner.merchant) in text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"kind__exact": "merchant_payable"}, ["KES merchant_payable", "JPY merchant_payable live"]),
        ({"currency": "JPY"}, ["JPY merchant_payable live", "JPY provider_clearing live"]),
        ({"livemode__exact": "0"}, ["KES merchant_payable", "KES provider_clearing"]),
    ],
)
def test_accounts_are_filtered(client, asked, found):
    booked(new_books(), 100_000)
    booked(new_books(livemode=True), 100_000, currency="JPY")
    rows = client.get(staff.listing(Account), asked).context["cl"].result_list
    words = [f"{row.currency} {row.kind}{' live' if row.livemode else ''}" for row in rows]
    assert sorted(words) == sorted(found)


def test_an_account_is_found_by_its_id_and_by_its_owner_exactly(client, books):
    booked(books, 100_000)
    booked(new_books(), 100_000)
    account = account_of(books)
    for term in (account.pk, books.merchant, f" {books.merchant} "):
        assert list(client.get(staff.listing(Account), {"q": term}).context["cl"].result_list) == [account]
    assert not client.get(staff.listing(Account), {"q": books.merchant[:-1]}).context["cl"].result_list


# Statements


def test_a_statement_links_each_line_to_its_transfer_and_its_cause(client, books):
    payment = PaymentFactory()
    booked(books, 123_456, cause=payment.pk)
    text = shown(client, staff.page(account_of(books)))
    assert staff.page(Transfer.objects.get()) in text
    assert staff.page(payment) in text
    assert "1,234.56" in text


def test_older_lines_stand_on_the_pages_before(client, books):
    for amount in range(1, admin_statement.LINES + 3):
        booked(books, amount)
    page = staff.page(account_of(books))
    first = client.get(page).context["statement"]
    assert [line["amount"] for line in first["lines"]][-1] == "0.03"
    assert first["newest"] == ""
    second = client.get(page + first["older"]).context["statement"]
    assert [(line["amount"], line["balance"]) for line in second["lines"]] == [("0.02", "0.03"), ("0.01", "0.01")]
    assert (second["older"], second["newest"]) == ("", page)


@pytest.mark.parametrize("before", ["pay_1", "ent_", "'; --", "\x00"])
def test_a_place_in_a_statement_that_is_none_shows_the_newest(client, books, before):
    booked(books, 100_000)
    text = shown(client, staff.page(account_of(books)), before=before)
    assert "1,000.00" in text


def export(client, account, form, **asked):
    return client.get(reverse("admin:ledger_account_statement", args=[account.pk.replace("_", "_5F"), form]), asked)


def test_a_statement_is_downloaded_whole_and_exact_with_its_running_balance(client, books):
    booked(books, 100_000, cause="=pay_1")
    booked(books, 25_050, Fact.REFUND_SUCCEEDED, cause="ref_1")
    account = account_of(books)
    answer = export(client, account, "csv")
    assert answer["Content-Disposition"] == f'attachment; filename="statement_{account.pk}_all.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    entries = list(Entry.objects.filter(account=account).select_related("transfer").order_by("pk"))
    assert rows == [
        {
            "at": clock.rfc3339(entry.at),
            "fact": fact,
            "cause": cause,
            "transfer": entry.transfer.pk,
            "entry": entry.pk,
            "currency": "KES",
            "amount": amount,
            "balance": balance,
        }
        for entry, fact, cause, amount, balance in zip(
            entries,
            ("payment_captured", "refund_succeeded"),
            ("'=pay_1", "ref_1"),
            ("1000.00", "-250.50"),
            ("1000.00", "749.50"),
            strict=True,
        )
    ]


def test_a_statement_is_downloaded_as_a_sheet_with_the_same_rows(client, books):
    booked(books, 100_000)
    booked(books, 25_050, Fact.REFUND_SUCCEEDED)
    answer = export(client, account_of(books), "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.getvalue())).active
    headers, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert headers == list(admin_statement.HEADERS)
    amounts = [[Decimal(str(cell)) for cell in row[-2:]] for row in rows]
    assert amounts == [[Decimal("1000"), Decimal("1000")], [Decimal("-250.5"), Decimal("749.5")]]


def booked_days_ago(books, *days):
    for ago in days:
        with clock.shifted(timedelta(days=-ago)):
            booked(books, 10**ago)


def day(ago):
    return str((clock.now() - timedelta(days=ago)).date())


def test_a_span_of_days_includes_both_of_them_and_goes_on_from_what_was_there(client, books):
    booked_days_ago(books, 6, 5, 4, 3)
    answer = export(client, account_of(books), "csv", since=day(5), until=day(4))
    assert f"_{day(5)}-{day(4)}.csv" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(row["amount"], row["balance"]) for row in rows] == [("1000.00", "11000.00"), ("100.00", "11100.00")]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_each_download_stands_in_the_audit_log(client, books, form):
    booked(books, 100_000)
    account = account_of(books)
    assert export(client, account, form, since="2026-01-31").getvalue()
    written = {"format": form, "since": "2026-01-31"}
    assert staff.recorded(account) == [("staff:amina", "account.export_statement", written)]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"since": "31.01.2026"}, "“31.01.2026” is not a day. Write it as 2026-11-20."),
        ({"until": "2026-02-30"}, "“2026-02-30” is not a day"),
        ({"until": "9999-12-31"}, "“9999-12-31” is not a day"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "2026-02-01 is before 2026-02-02."),
    ],
)
def test_a_download_of_days_that_are_none_is_refused_with_a_word_and_not_recorded(client, books, asked, told):
    booked(books, 100_000)
    account = account_of(books)
    answer = export(client, account, "csv", **asked)
    assert answer.url == staff.page(account)
    assert told in shown(client, answer.url)
    assert staff.recorded(account) == []


def test_a_download_is_for_those_who_may_see_the_account(books):
    booked(books, 100_000)
    account = account_of(books)
    assert export(staff.signed_in("ledger.view_transfer"), account, "csv").status_code == 403
    refused = {"refused": "permission"}
    assert staff.recorded(account) == [("staff:amina", "account.export_statement", refused)]


def test_there_is_no_download_of_another_form_or_of_no_account(client, books):
    booked(books, 100_000)
    assert export(client, account_of(books), "pdf").status_code == 404
    assert export(client, Account(pk="lacc_1"), "csv").status_code == 404


# Transfers


def test_a_transfer_shows_its_entries_and_what_caused_it(client, books):
    payment = PaymentFactory()
    booked(books, 100_000, cause=payment.pk)
    transfer = Transfer.objects.get()
    text = shown(client, staff.page(transfer))
    for word in (
        staff.page(payment),
        staff.page(account_of(books)),
        staff.page(account_of(books, Kind.PROVIDER_CLEARING)),
        transfer.reference,
        "A receipt for money that was asked for",
    ):
        assert word in text
    assert text.count("KES 1,000.00") == 2


def test_a_pending_transfer_and_the_one_that_ends_it_lead_to_each_other(client, books):
    refund = booked(books, 100, Fact.REFUND_RESERVED)
    pending = Transfer.objects.get()
    assert "still open" in shown(client, staff.page(pending))
    booked(books, 100, Fact.REFUND_RELEASED, source=refund)
    end = Transfer.objects.exclude(pk=pending.pk).get()
    text = shown(client, staff.page(pending))
    assert staff.page(end) in text
    assert "still open" not in text
    assert staff.page(pending) in shown(client, staff.page(end))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"fact": "refund_reserved"}, ["refund_reserved"]),
        ({"phase__exact": "posted"}, ["payment_captured"]),
        ({"livemode__exact": "1"}, []),
    ],
)
def test_transfers_are_filtered(client, books, asked, found):
    booked(books, 1000)
    booked(books, 100, Fact.REFUND_RESERVED)
    rows = client.get(staff.listing(Transfer), asked).context["cl"].result_list
    assert [row.fact for row in rows] == found


def test_a_transfer_is_found_by_its_id_its_reference_its_cause_or_an_entry_exactly(client, books):
    booked(books, 1000, cause="pay_7")
    booked(books, 1000, cause="pay_8")
    transfer = Transfer.objects.get(cause="pay_7")
    for term in (transfer.pk, transfer.reference, "pay_7", transfer.entries.first().pk):
        assert list(client.get(staff.listing(Transfer), {"q": term}).context["cl"].result_list) == [transfer]
    for term in ("pay_", "ent_1", transfer.reference[:-1]):
        assert not client.get(staff.listing(Transfer), {"q": term}).context["cl"].result_list


# The trial balance


def test_the_trial_balance_stands_per_currency_with_totals_and_is_zero(client, books):
    booked(books, 100_000)
    booked(books, 40_000, Fact.PAYMENT_SETTLED)
    booked(books, 70, currency="JPY")
    answer = client.get(TRIAL_BALANCE, {"mode": "test"})
    told = [
        (table["code"], table["debits"], table["credits"], table["difference"])
        for table in answer.context["currencies"]
    ]
    assert told == [("JPY", "70", "70", ""), ("KES", "600.00", "600.00", "")]
    assert len(re.findall(r">\s*zero\s*<", answer.text)) == 2
    assert "out of balance" not in answer.text


def test_a_trial_balance_that_is_not_zero_is_loud(client, books):
    booked(books, 100_000)
    balances.sum_up_some()
    Account.objects.filter(kind=Kind.PROVIDER_CLEARING).update(posted=99_999)
    assert "KES -0.01 out of balance" in shown(client, TRIAL_BALANCE)
    front = shown(client, "/admin/")
    assert "KES -0.01" in front
    assert "out of balance" in front


def test_a_kind_leads_to_its_accounts(client, books):
    booked(books, 100_000)
    booked(books, 100_000, currency="JPY")
    (table,) = [table for table in client.get(TRIAL_BALANCE).context["currencies"] if table["code"] == "KES"]
    (row,) = [row for row in table["rows"] if row["kind"] == "merchant payable"]
    assert list(client.get(row["accounts"]).context["cl"].result_list) == [account_of(books)]


def test_one_day_shows_what_moved_on_it(client, books):
    booked_days_ago(books, 3, 2)
    booked(books, 1)
    (table,) = client.get(TRIAL_BALANCE, {"day": day(2)}).context["currencies"]
    assert (table["debits"], table["credits"], table["difference"]) == ("1.00", "1.00", "")
    assert "Nothing is booked on that day." in shown(client, TRIAL_BALANCE, day=day(9))


@pytest.mark.parametrize(
    "given", ["yesterday", "2026-13-01", "20261120", "9999-12-31", "0001-01-01", "\x00", "9" * 500]
)
def test_a_bad_day_is_told(client, books, given):
    booked(books, 100_000)
    answer = client.get(TRIAL_BALANCE, {"day": given})
    assert answer.status_code == 400
    assert "is not a day. Write it as 2026-11-20." in answer.text
    assert answer.context["currencies"] == []


@pytest.mark.parametrize(
    ("asked", "has_live", "shows"),
    [
        ({}, False, "test"),
        ({}, True, "live"),
        ({"mode": "test"}, True, "test"),
        ({"mode": "live"}, False, "live"),
        ({"mode": "neither"}, False, "test"),
    ],
)
def test_the_mode_is_chosen_and_is_otherwise_the_one_with_money(client, books, asked, has_live, shows):
    booked(books, 100)
    if has_live:
        booked(new_books(livemode=True), 200)
    answer = client.get(TRIAL_BALANCE, asked)
    assert answer.context["mode"] == shows
    assert [mode["title"] for mode in answer.context["modes"] if mode["active"]] == [shows.capitalize()]
    debits = {"test": ["1.00"], "live": ["2.00"] if has_live else []}[shows]
    assert [table["debits"] for table in answer.context["currencies"]] == debits


def test_the_trial_balance_and_its_card_are_for_those_who_may():
    client = staff.signed_in("ledger.view_transfer")
    assert client.get(TRIAL_BALANCE).status_code == 403
    front = shown(client, "/admin/")
    assert TRIAL_BALANCE not in front
    assert "balanced" not in front


# The way there


def test_the_first_page_says_that_the_books_are_balanced_and_leads_there(client, books):
    booked(books, 100_000)
    text = shown(client, "/admin/")
    assert text.count("balanced") == 2
    assert f"{TRIAL_BALANCE}?mode=live" in text
    assert f"{TRIAL_BALANCE}?mode=test" in text


def test_the_way_to_the_books_marks_the_page_that_is_open(client):
    groups = {group.get("title"): group["items"] for group in client.get(TRIAL_BALANCE).context["sidebar_navigation"]}
    assert [(item["title"], item["active"]) for item in groups["Books"]] == [
        ("Trial balance", True),
        ("Accounts", False),
        ("Transfers", False),
    ]
