"""The yardstick of `reconcile`: bare psycopg 3, one COPY, one ANALYZE, one FULL JOIN.

    DATABASE_URL=… python -m benchmarks.yardstick_reconcile --count 1000000

Plain code: no Django, no money, no cases; what differs goes into one table, and is counted. A number that is listed
twice is two rows of it.
"""

import argparse
import json
import os
import time
from typing import Any

import psycopg

from benchmarks import statement

_JOIN = """
    CREATE TABLE yardstick_found AS
    SELECT coalesce(line.number, receipt.provider_money_id) AS number, line.amount AS listed, receipt.amount AS booked
    FROM yardstick_line line
    FULL JOIN (
        SELECT receipt.provider_money_id, receipt.amount, receipt.currency, fee.amount AS fee
        FROM payments_receipt receipt JOIN payments_fee fee ON fee.receipt_id = receipt.id
        WHERE receipt.account_id = %(account)s
    ) receipt ON receipt.provider_money_id = line.number
    WHERE line.number IS NULL OR receipt.provider_money_id IS NULL OR line.amount <> receipt.amount
        OR line.currency <> receipt.currency OR line.fee <> receipt.fee OR NOT line.is_final
"""


def measure(count: int) -> dict[str, Any]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS yardstick_line, yardstick_found")
        begun = time.perf_counter()
        connection.execute(
            "CREATE TABLE yardstick_line (number text, amount bigint, currency text, is_final boolean, fee bigint)"
        )
        with connection.cursor() as cursor, cursor.copy("COPY yardstick_line FROM STDIN") as copied:
            for told in statement.lines(count):
                copied.write_row((told.number, told.amount, told.currency, told.is_final, told.fee))
        connection.execute("ANALYZE yardstick_line")
        connection.execute(_JOIN, {"account": statement.ACCOUNT})
        took = time.perf_counter() - begun
        found = connection.execute("SELECT count(DISTINCT number) FROM yardstick_found").fetchone()
    return {"seconds": took, "written": found[0] if found else 0}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True, help="of receipts")
    print(json.dumps(measure(parser.parse_args().count)))


if __name__ == "__main__":
    main()
