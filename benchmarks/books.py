"""What is in the books before `ledger` measures: a hot pair of accounts, 10,000 pairs more, and a history.

Written by SQL alone, so that it is the same for every candidate and for the yardstick.
"""

import psycopg

SPREAD = 10_000
"""How many pairs of accounts there are beside the hot one, which has the number 0."""
CURRENCY, AMOUNT = "KES", 1000

_ACCOUNTS = """
    INSERT INTO ledger_account (id, owner, kind, side, currency, livemode, posted, reserved, created_at)
    SELECT 'lacc_' || lpad((2 * number + place)::text, 26, '0'), prefix || '_' || lpad(number::text, 26, '0'), kind,
        side, %(currency)s, false, 0, 0, now()
    FROM generate_series(0, %(spread)s) number,
        (VALUES (0, 'acct', 'provider_clearing', 1), (1, 'mer', 'merchant_payable', -1))
            half (place, prefix, kind, side)
"""
_TRANSFERS = """
    INSERT INTO ledger_transfer (id, reference, fact, phase, cause, merchant, livemode, at)
    SELECT 'xfer_' || lpad(number::text, 26, '0'), 'payment_captured:rcpt_' || lpad(number::text, 26, '0') || ':posted',
        'payment_captured', 'posted', 'pay_' || lpad(number::text, 26, '0'),
        'mer_' || lpad((number %% 2 * (number / 2 %% %(spread)s + 1))::text, 26, '0'), false,
        now() - (%(transfers)s - number) * interval '1 second'
    FROM generate_series(1, %(transfers)s) number
"""
_ENTRIES = """
    INSERT INTO ledger_entry (id, transfer_id, account_id, amount, at)
    SELECT 'ent_' || lpad((2 * number + place)::text, 26, '0'), 'xfer_' || lpad(number::text, 26, '0'),
        'lacc_' || lpad((2 * (number %% 2 * (number / 2 %% %(spread)s + 1)) + place)::text, 26, '0'), sign * %(amount)s,
        now() - (%(transfers)s - number) * interval '1 second'
    FROM generate_series(1, %(transfers)s) number, (VALUES (0, 1), (1, -1)) half (place, sign)
    ORDER BY number, place
"""
_BALANCES = """
    UPDATE ledger_account account SET posted = summed.posted
    FROM (SELECT account_id, sum(amount) AS posted FROM ledger_entry GROUP BY account_id) summed
    WHERE account.id = summed.account_id
"""
_TABLES = ("ledger_account", "ledger_transfer", "ledger_entry")


def owners(number: int) -> tuple[str, str]:
    """The merchant and the provider account whose accounts the pair of that number is."""
    return f"mer_{number:026d}", f"acct_{number:026d}"


def fill(url: str, *, transfers: int) -> None:
    """The accounts, and so many transfers between them: every other one on the hot pair. Checks by row are off."""
    given = {"spread": SPREAD, "transfers": transfers, "amount": AMOUNT, "currency": CURRENCY}
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in (_ACCOUNTS, _TRANSFERS, _ENTRIES, _BALANCES):
                connection.execute(statement, given)
        for table in _TABLES:
            connection.execute(f"VACUUM (ANALYZE) {table}")
        connection.execute("CHECKPOINT")  # what this left to write is not to slow the first slices
