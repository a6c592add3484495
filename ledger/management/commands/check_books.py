"""The books, checked against themselves and against each domain's rows: `manage.py check_books [--fix]`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from ledger.checking import findings


class Command(BaseCommand):
    """Exits 1 when it finds something, mended or not."""

    help = "Check that the books balance, that balances are the sum of their entries, and that every fact is posted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="sum again, and post what is missing")

    def handle(self, *arguments: Any, **options: Any) -> None:
        found = findings()
        for finding in found:
            self.stdout.write(finding.told)
            if options["fix"] and finding.mend:
                with transaction.atomic():
                    finding.mend()
        if found:
            word = "mended where that can be done here" if options["fix"] else "--fix mends what can be mended here"
            raise CommandError(f"{len(found)} findings; {word}", returncode=1)
        self.stdout.write("The books are true.")
