"""Whatever happens to payments, in whatever order and however often: the books balance and every balance is a sum."""

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import Money
from ledger import balances
from ledger.facts import POSTINGS, Fact
from ledger.models import Account
from ledger.posting import Books, Contradiction, post
from ledger.statements import out_of_balance, trial_balance

pytestmark = pytest.mark.django_db

BOOKS = (
    Books(merchant="mer_1", account="acct_1", livemode=False),
    Books(merchant="mer_1", account="acct_2", livemode=False),
    Books(merchant="mer_2", account="acct_3", livemode=False),
)
WITH_FLOORS = {fact for fact in Fact if POSTINGS[fact].started_here and fact is not Fact.REFUND_RESERVED}

steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(set(Fact) - WITH_FLOORS)),
        st.integers(0, 3),
        st.sampled_from(["KES", "USD", "JPY"]),
        st.sampled_from(BOOKS),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_any_order_of_facts_and_repeats_leaves_every_currency_at_zero_and_every_balance_a_sum(happened):
    with transaction.atomic():
        for fact, number, currency, books, sums in happened:
            source = f"{books.account}-{currency}-{number}"
            try:
                with transaction.atomic():
                    money = Money(100 * (number + 1), currency)
                    post(fact, money, books=books, source=source, cause="pay_1", into=Money(77, "EUR"))
            except Contradiction:
                pass  # what ended otherwise cannot end again; nothing of it stays
            if sums:
                balances.sum_up_some()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert set(out_of_balance(trial_balance(livemode=False)).values()) <= {0}
        assert balances.differences() == []
        assert all(account.reserved_now >= 0 for account in Account.objects.with_balance())
        transaction.set_rollback(True)
