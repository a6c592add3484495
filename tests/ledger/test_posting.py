"""post(): every fact of a source once, whole or not at all, and what the database itself refuses."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from core import ids
from core.money import Money
from events.models import Attention
from ledger import balances
from ledger.chart import CHART, Floor, Kind
from ledger.facts import POSTINGS, Fact, Phase
from ledger.models import Account, Entry, Transfer
from ledger.posting import BelowFloor, Books, Contradiction, post, reference
from ledger.statements import out_of_balance, trial_balance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books():
    return Books(merchant=ids.new_id("mer"), account=ids.new_id("acct"), livemode=False)


def booked(books, fact, amount, *, source=None, currency="KES", into=None):
    source = source or ids.new_id("rcpt")
    with transaction.atomic():
        post(fact, Money(amount, currency), books=books, source=source, cause="pay_1", into=into)
    return source


def balance(books, kind, currency="KES"):
    key = balances.Key(books.owner(kind), kind, currency, books.livemode)
    found = balances.of([key])
    return found[key].balance if found else 0


def available(books, kind, currency="KES"):
    key = balances.Key(books.owner(kind), kind, currency, books.livemode)
    return balances.of([key])[key].available


def in_balance():
    return set(out_of_balance(trial_balance(livemode=False)).values()) <= {0} and balances.differences() == []


def test_a_capture_stands_on_both_sides(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    assert balance(books, Kind.PROVIDER_CLEARING) == 1000
    assert balance(books, Kind.MERCHANT_PAYABLE) == 1000
    assert in_balance()


def test_an_account_is_made_with_its_first_entry_and_used_from_then_on(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    booked(books, Fact.PAYMENT_CAPTURED, 500)
    assert Account.objects.count() == 2
    assert balance(books, Kind.MERCHANT_PAYABLE) == 1500


def test_the_same_fact_of_the_same_source_posts_once(books):
    source = booked(books, Fact.PAYMENT_CAPTURED, 1000)
    booked(books, Fact.PAYMENT_CAPTURED, 1000, source=source)
    assert Transfer.objects.count() == 1
    assert balance(books, Kind.MERCHANT_PAYABLE) == 1000


def test_the_same_fact_of_the_same_source_with_another_amount_is_a_contradiction(books):
    source = booked(books, Fact.PAYMENT_CAPTURED, 1000)
    with pytest.raises(Contradiction, match=source):
        booked(books, Fact.PAYMENT_CAPTURED, 999, source=source)
    assert balance(books, Kind.MERCHANT_PAYABLE) == 1000


def test_a_fact_of_nothing_posts_nothing(books):
    booked(books, Fact.FEE_CHARGED, 0)
    assert not Transfer.objects.exists()


def test_less_than_nothing_is_refused(books):
    with pytest.raises(ValueError, match="direction"):
        booked(books, Fact.PAYMENT_CAPTURED, -1)


def test_it_is_refused_outside_of_a_transaction(books):
    with pytest.raises(RuntimeError):
        post(Fact.PAYMENT_CAPTURED, Money(1, "KES"), books=books, source="rcpt_1", cause="pay_1")


def test_a_posting_of_a_transaction_that_rolls_back_leaves_nothing(books):
    with transaction.atomic():
        post(Fact.PAYMENT_CAPTURED, Money(1000, "KES"), books=books, source="rcpt_1", cause="pay_1")
        transaction.set_rollback(True)
    assert (Account.objects.count(), Transfer.objects.count(), Entry.objects.count()) == (0, 0, 0)
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    assert balance(books, Kind.MERCHANT_PAYABLE) == 1000


# Pending


def test_what_is_pending_reduces_what_is_available_and_not_the_balance(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    booked(books, Fact.REFUND_RESERVED, 300)
    assert balance(books, Kind.MERCHANT_PAYABLE) == 1000
    assert available(books, Kind.MERCHANT_PAYABLE) == 700


def test_pending_credits_do_not_count_as_available(books):
    booked(books, Fact.REFUND_RESERVED, 300)
    assert available(books, Kind.REFUNDS) == 0


def test_a_pending_transfer_is_ended_by_the_one_that_is_posted_in_its_place(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    refund = booked(books, Fact.REFUND_RESERVED, 300)
    booked(books, Fact.REFUND_SUCCEEDED, 300, source=refund)
    posted = Transfer.objects.get(fact=Fact.REFUND_SUCCEEDED)
    assert posted.resolves.reference == reference(Fact.REFUND_RESERVED, refund, Phase.PENDING)
    assert (balance(books, Kind.MERCHANT_PAYABLE), available(books, Kind.MERCHANT_PAYABLE)) == (700, 700)
    assert in_balance()


def test_a_void_gives_back_what_was_reserved_once(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    refund = booked(books, Fact.REFUND_RESERVED, 300)
    for _ in range(2):
        booked(books, Fact.REFUND_RELEASED, 300, source=refund)
    assert (balance(books, Kind.MERCHANT_PAYABLE), available(books, Kind.MERCHANT_PAYABLE)) == (1000, 1000)
    assert in_balance()


def test_a_void_of_what_was_never_pending_does_nothing(books):
    booked(books, Fact.REFUND_RELEASED, 300)
    assert not Transfer.objects.exists()


def test_what_has_happened_is_posted_although_nothing_was_pending(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    booked(books, Fact.REFUND_SUCCEEDED, 300)
    assert (balance(books, Kind.MERCHANT_PAYABLE), available(books, Kind.MERCHANT_PAYABLE)) == (700, 700)
    assert in_balance()


def test_what_was_voided_cannot_be_posted_as_its_end(books):
    refund = booked(books, Fact.REFUND_RESERVED, 300)
    booked(books, Fact.REFUND_RELEASED, 300, source=refund)
    with pytest.raises(Contradiction):
        booked(books, Fact.REFUND_SUCCEEDED, 300, source=refund)


def test_the_fee_that_is_told_replaces_the_one_that_was_expected(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000)
    fee = booked(books, Fact.FEE_EXPECTED, 35)
    assert available(books, Kind.MERCHANT_PAYABLE) == 965
    booked(books, Fact.FEE_CHARGED, 32, source=fee)
    assert (balance(books, Kind.MERCHANT_PAYABLE), available(books, Kind.MERCHANT_PAYABLE)) == (968, 968)
    assert balance(books, Kind.PROVIDER_CLEARING) == 968
    assert balance(books, Kind.FEE_EXPENSE) == balance(books, Kind.FEE_INCOME) == 32
    assert in_balance()


def test_an_exchange_moves_both_sides_into_the_other_currency(books):
    booked(books, Fact.PAYMENT_CAPTURED, 1000, currency="USD")
    booked(books, Fact.CURRENCY_EXCHANGED, 1000, currency="USD", into=Money(920, "EUR"))
    assert balance(books, Kind.MERCHANT_PAYABLE, "USD") == balance(books, Kind.PROVIDER_CLEARING, "USD") == 0
    assert balance(books, Kind.MERCHANT_PAYABLE, "EUR") == balance(books, Kind.PROVIDER_CLEARING, "EUR") == 920
    assert balance(books, Kind.POSITION, "USD") == balance(books, Kind.POSITION, "EUR") == 0
    assert in_balance()


@pytest.mark.parametrize("fact", list(Fact))
def test_every_fact_of_the_table_balances(books, fact):
    into = Money(300, "USD") if any(leg.into for step in POSTINGS[fact].steps for leg in step.legs) else None
    if POSTINGS[fact].started_here:
        booked(books, Fact.WALLET_FUNDED, 1000)
    source = ids.new_id("pay")
    for step in POSTINGS[fact].steps:
        if step.ends:
            booked(books, step.ends, 200, source=source)
    booked(books, fact, 200, source=source, into=into)
    assert in_balance()


def test_every_kind_of_fact_and_of_account_is_in_its_table():
    assert set(POSTINGS) == set(Fact)
    assert set(CHART) == set(Kind)


# Floors


def test_what_we_start_is_refused_below_the_floor_and_leaves_nothing(books):
    booked(books, Fact.WALLET_FUNDED, 100)
    before = Transfer.objects.count()
    with pytest.raises(BelowFloor, match=r"KES 1\.01 is more than the KES 1\.00 that is available"):
        booked(books, Fact.WALLET_RESERVED, 101)
    assert Transfer.objects.count() == before


def test_a_pending_debit_counts_against_the_floor(books):
    booked(books, Fact.WALLET_FUNDED, 100)
    booked(books, Fact.WALLET_RESERVED, 60)
    with pytest.raises(BelowFloor):
        booked(books, Fact.WALLET_RESERVED, 41)
    booked(books, Fact.WALLET_RESERVED, 40)
    assert available(books, Kind.MERCHANT_WALLET) == 0


def test_what_was_started_already_is_not_refused_when_it_is_told_again(books):
    booked(books, Fact.WALLET_FUNDED, 100)
    source = booked(books, Fact.WALLET_RESERVED, 100)
    booked(books, Fact.WALLET_RESERVED, 100, source=source)
    assert available(books, Kind.MERCHANT_WALLET) == 0


def test_twenty_at_once_never_take_an_account_below_its_floor(books):
    booked(books, Fact.WALLET_FUNDED, 1000)
    start, outcomes = threading.Barrier(20), []

    def reserve():
        start.wait()
        try:
            booked(books, Fact.WALLET_RESERVED, 90)
            outcomes.append("reserved")
        except BelowFloor:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=reserve) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 9 + ["reserved"] * 11
    assert available(books, Kind.MERCHANT_WALLET) == 10
    assert in_balance()


def test_a_chargeback_beyond_the_balance_is_posted_and_flagged(books):
    booked(books, Fact.PAYMENT_CAPTURED, 100)
    booked(books, Fact.DISPUTE_LOST, 250)
    assert balance(books, Kind.MERCHANT_PAYABLE) == -150
    item = Attention.objects.get(reason=Attention.Reason.OVERDRAWN)
    assert item.merchant == books.merchant
    assert "KES -1.50" in item.detail
    assert in_balance()


def test_a_chargeback_within_the_balance_is_not_flagged(books):
    booked(books, Fact.PAYMENT_CAPTURED, 250)
    booked(books, Fact.DISPUTE_LOST, 250)
    assert not Attention.objects.exists()


def test_only_accounts_with_a_floor_are_locked(books):
    """A hot account takes a second capture while the first one's transaction is still open."""
    booked(books, Fact.PAYMENT_CAPTURED, 100)
    assert CHART[Kind.MERCHANT_PAYABLE].floor is not Floor.HELD
    done = []

    def capture():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        booked(books, Fact.PAYMENT_CAPTURED, 100)
        done.append(True)
        connection.close()

    with transaction.atomic():
        post(Fact.PAYMENT_CAPTURED, Money(100, "KES"), books=books, source="rcpt_open", cause="pay_1")
        other = threading.Thread(target=capture)
        other.start()
        other.join()
    assert done == [True]
    assert balance(books, Kind.MERCHANT_PAYABLE) == 300


# Cost


def scans():
    """How often this transaction has read each table of the books as a whole."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE relname LIKE 'ledger_%'")
        return dict(cursor.fetchall())


def test_a_posting_reads_no_table_as_a_whole_also_where_postgresql_has_no_statistics(books):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SET session_replication_role = replica;
            ALTER TABLE ledger_entry SET (autovacuum_enabled = off);
            ALTER TABLE ledger_account SET (autovacuum_enabled = off);
            ALTER TABLE ledger_transfer SET (autovacuum_enabled = off);
            INSERT INTO ledger_account (id, owner, kind, side, currency, livemode, posted, reserved, created_at)
                SELECT 'lacc_' || n, 'mer_' || n, 'merchant_payable', -1, 'KES', false, 0, 0, now()
                FROM generate_series(1, 20000) n;
            INSERT INTO ledger_transfer (id, reference, fact, phase, cause, merchant, livemode, at)
                SELECT 'xfer_' || n, 'fact:' || n, 'payment_captured', 'posted', 'pay_' || n, 'mer_' || n, false, now()
                FROM generate_series(0, 30000) n;
            INSERT INTO ledger_entry (id, transfer_id, account_id, amount, at)
                SELECT 'ent_' || n, 'xfer_' || n / 2, 'lacc_' || 1 + n % 20000, 1, now()
                FROM generate_series(1, 60000) n;
            SET session_replication_role = origin;
            """
        )
    before = scans()
    for _ in range(8):
        booked(books, Fact.PAYMENT_CAPTURED, 1000)
    assert scans() == before


# What the database refuses, whoever writes


@pytest.fixture
def accounts(books):
    booked(books, Fact.PAYMENT_CAPTURED, 100)
    booked(books, Fact.PAYMENT_CAPTURED, 100, currency="USD")
    live = Books(books.merchant, books.account, livemode=True)
    booked(live, Fact.PAYMENT_CAPTURED, 100)
    return {(row.kind, row.currency, row.livemode): row for row in Account.objects.all()}


def written_by_hand(entries, *, phase=Phase.POSTED, resolves=None):
    with transaction.atomic():
        transfer = Transfer.objects.create(
            reference=ids.new_id("xfer"), fact="by_hand", phase=phase, resolves=resolves, livemode=False
        )
        for account, amount in entries:
            Entry.objects.create(transfer=transfer, account=account, amount=amount)
    return transfer


CLEARING, PAYABLE = Kind.PROVIDER_CLEARING, Kind.MERCHANT_PAYABLE


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([(CLEARING, "KES", False, 100), (PAYABLE, "KES", False, -99)], "sum to zero"),
        ([(CLEARING, "KES", False, 100), (PAYABLE, "USD", False, -100)], "sum to zero"),
        ([(CLEARING, "KES", False, 100)], "fewer than two"),
        ([], "fewer than two"),
        ([(CLEARING, "KES", True, 100), (PAYABLE, "KES", False, -100)], "mixes test and live"),
        (
            [
                (CLEARING, "KES", False, 100),
                (PAYABLE, "KES", False, -100),
                (CLEARING, "USD", False, -1),
                (PAYABLE, "USD", False, 1),
            ],
            "position account",
        ),
    ],
)
def test_the_database_refuses_a_transfer_that_does_not_balance(accounts, entries, told):
    before = Transfer.objects.count()
    with pytest.raises(IntegrityError, match=told):
        written_by_hand([(accounts[kind, currency, mode], amount) for kind, currency, mode, amount in entries])
    assert Transfer.objects.count() == before


def test_the_database_refuses_an_account_of_an_unknown_kind():
    with pytest.raises(IntegrityError, match="account_kind_is_known"):
        Account.objects.create(owner="mer_1", kind="petty_cash", side=1, currency="KES", livemode=False)


def test_the_database_refuses_an_account_that_grows_the_wrong_way():
    with pytest.raises(IntegrityError, match="account_kind_is_known"):
        Account.objects.create(owner="mer_1", kind=PAYABLE, side=1, currency="KES", livemode=False)


def test_the_database_refuses_an_entry_that_is_added_to_a_transfer_later(accounts):
    transfer = Transfer.objects.first()
    with pytest.raises(IntegrityError, match="sum to zero"):
        Entry.objects.create(transfer=transfer, account=accounts[CLEARING, "KES", False], amount=1)


def test_the_database_refuses_to_change_or_delete_what_is_in_the_books(accounts):
    for change in (
        lambda: Entry.objects.update(amount=1),
        lambda: Entry.objects.all().delete(),
        lambda: Transfer.objects.update(fact="other"),
        lambda: Transfer.objects.first().delete(),
    ):
        with pytest.raises(IntegrityError):
            change()


def test_the_database_refuses_a_second_end_of_what_was_pending(accounts):
    sides = [(accounts[CLEARING, "KES", False], 5), (accounts[PAYABLE, "KES", False], -5)]
    pending = written_by_hand(sides, phase=Phase.PENDING)
    written_by_hand([], phase=Phase.VOIDED, resolves=pending)
    with pytest.raises(IntegrityError, match="one_end_per_pending"):
        written_by_hand(sides, resolves=pending)


def test_the_database_refuses_to_end_what_was_posted(accounts):
    with pytest.raises(IntegrityError, match="not pending"):
        written_by_hand([], phase=Phase.VOIDED, resolves=Transfer.objects.first())


def test_the_database_refuses_a_void_with_entries(accounts):
    sides = [(accounts[CLEARING, "KES", False], 5), (accounts[PAYABLE, "KES", False], -5)]
    pending = written_by_hand(sides, phase=Phase.PENDING)
    with pytest.raises(IntegrityError, match="is a void"):
        written_by_hand(sides, phase=Phase.VOIDED, resolves=pending)
