"""Captures posted to the books of a checkout, as fast as its own code does, by a crowd.

    DATABASE_URL=… LANGO_DEVELOPMENT=1 python -m benchmarks.post --spread 0 --seconds 5

What has been appended is summed once a second meanwhile, as the worker does it, and its time counts as ours.
"""

import argparse
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

import django

from benchmarks.books import AMOUNT, CURRENCY, owners
from benchmarks.crowd import crowd


@contextmanager
def poster(spread: int) -> Iterator[Callable[[], None]]:
    from django.db import connection, transaction

    from core import ids
    from core.money import Money
    from ledger.facts import Fact
    from ledger.posting import Books, post

    def post_one() -> None:
        source = ids.new_id("rcpt")
        merchant, account = owners(random.randint(1, spread) if spread else 0)
        books = Books(merchant=merchant, account=account, livemode=False)
        with transaction.atomic():
            post(
                Fact.PAYMENT_CAPTURED,
                Money(AMOUNT, CURRENCY),
                books=books,
                source=source,
                cause=source.replace("rcpt", "pay"),
            )

    try:
        yield post_one
    finally:
        connection.close()


def sum_up() -> None:
    from ledger import balances

    while balances.sum_up_some():
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spread", type=int, required=True, help="over how many pairs of accounts; 0 is the hot one")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    told = crowd(partial(poster, options.spread), seconds=options.seconds, meanwhile=sum_up)
    print(json.dumps(asdict(told)))


if __name__ == "__main__":
    main()
