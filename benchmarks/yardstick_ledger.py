"""The yardstick of `ledger`: bare psycopg 3, two processes of eight threads, the statement that a posting runs.

    DATABASE_URL=… python -m benchmarks.yardstick_ledger --statement '…' --spread 0 --seconds 5

Plain code: no Django, no chart, no table of postings, no floors; a transaction with one prepared statement.
Its text is the one that the books run, given from outside, so that both ask the database for the same; the
ids are made by the same function. Nothing is summed meanwhile.
"""

import argparse
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg

from benchmarks.books import AMOUNT, CURRENCY, owners
from benchmarks.crowd import crowd
from core.ids import new_id

PREPARE_AFTER = 3


def values(number: int) -> list[Any]:
    """What the statement's places take, for a capture into the pair of accounts of that number."""
    merchant, account = owners(number)
    source = new_id("rcpt")
    at = datetime.now(UTC)
    return [
        *(new_id("ent"), "provider_clearing", account, CURRENCY, AMOUNT, 0),
        *(new_id("ent"), "merchant_payable", merchant, CURRENCY, -AMOUNT, 0),
        *(False, ""),
        *(new_id("xfer"), f"payment_captured:{source}:posted", "payment_captured", "posted"),
        *(source.replace("rcpt", "pay"), merchant, False, at),
        *(2, at),
    ]


@contextmanager
def poster(statement: str, spread: int) -> Iterator[Callable[[], None]]:
    with psycopg.connect(os.environ["DATABASE_URL"], prepare_threshold=PREPARE_AFTER) as connection:

        def post_one() -> None:
            row = connection.execute(statement, values(random.randint(1, spread) if spread else 0)).fetchone()
            if row != (2, 1):
                raise RuntimeError(f"a capture found {row} accounts and transfers, not (2, 1)")
            connection.commit()

        yield post_one


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--statement", required=True, help="as `python -m benchmarks.hand` tells it")
    parser.add_argument("--spread", type=int, required=True, help="over how many pairs of accounts; 0 is the hot one")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    told = crowd(partial(poster, options.statement, options.spread), seconds=options.seconds)
    print(json.dumps(asdict(told)))


if __name__ == "__main__":
    main()
