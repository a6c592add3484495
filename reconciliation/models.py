"""Rows of what providers list, compared with what we booked. No writes here."""

from datetime import timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from core import clock
from core.fields import PublicIdField
from core.money import Money
from events.models import Work
from merchants.models import Merchant, ProviderAccount
from reconciliation.settlement_models import BankLine, Settlement, SettlementLine
from reconciliation.upload_models import Purpose, StatementMapping, UnreadableLine, Upload, UploadPiece

__all__ = [
    "BankLine", "Discrepancy", "Purpose", "Run", "Settlement", "SettlementLine", "StagedLine", "StatementMapping",
    "UnreadableLine", "Upload", "UploadPiece",
]  # fmt: skip


class Run(Work):
    """One comparison of an account's books at its provider with ours, over a window of time.

    `cursor` is how far its phase has come: the page to read next, then the discrepancy that was looked at last.
    `read_at` is when the last page was read, `last_page` its digest and `repeats` how often it came in a row. `lines`
    counts what was read, a line that was read twice too; `counts` holds the different lines, the matched ones and each
    kind of finding; `totals` by currency in minor units what is `listed`, what was `booked` of it and beside it, and
    what this run has `repaired`. `lane` is the account: its runs wait for each other.
    """

    class Occasion(models.TextChoices):
        NIGHTLY = "nightly", "every night"
        OFTEN = "often", "every quarter of an hour"
        PERSON = "person", "asked for by a person"
        FILE = "file", "a file that was uploaded"

    class Phase(models.TextChoices):
        READING = "reading", "reads the provider's statement"
        MATCHING = "matching", "compares it with the books"
        REPAIRING = "repairing", "repairs what is certain"
        FINISHED = "finished", "is finished"

    id = PublicIdField(prefix="run")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="reconciliation_runs", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    livemode = models.BooleanField()
    occasion = models.CharField(max_length=8, choices=Occasion.choices)
    upload = models.ForeignKey(Upload, models.PROTECT, null=True, related_name="runs")
    by = models.CharField(max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    phase = models.CharField(max_length=10, choices=Phase.choices, default=Phase.READING)
    registered = models.BooleanField(default=False)
    cursor = models.CharField(max_length=200, blank=True, default="")
    read_at = models.DateTimeField(null=True)
    last_page = models.CharField(max_length=64, blank=True, default="")
    repeats = models.PositiveSmallIntegerField(default=0)
    pages = models.PositiveIntegerField(default=0)
    lines = models.PositiveBigIntegerField(default=0)
    unreadable = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    totals = models.JSONField(default=dict)
    repaired = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, default="")
    sequence = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(phase__in=["reading", "matching", "repairing", "finished"]), name="run_phase_is_known"
            ),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="run_window_has_a_length"),
            models.CheckConstraint(
                condition=Q(phase="finished", finished_at__isnull=False)
                | (~Q(phase="finished") & Q(finished_at__isnull=True)),
                name="run_finishes_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["account", "occasion"],
                name="one_open_run_per_occasion",
                condition=Q(finished_at__isnull=True, upload__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["upload"],
                name="one_open_run_per_upload",
                condition=Q(finished_at__isnull=True, upload__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(occasion="file", upload__isnull=False) | (~Q(occasion="file") & Q(upload__isnull=True)),
                name="run_of_a_file_has_it",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="run_of_account"),
            models.Index(fields=["merchant", "livemode", "-id"], name="run_list"),
            models.Index(fields=["lane", "due_at"], name="run_due", condition=Q(due_at__isnull=False)),
        ]
        permissions = [("begin_run", "Can begin a reconciliation run")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def took(self) -> timedelta | None:
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None


class StagedLine(models.Model):
    """A line of a statement as it was read, for as long as its run needs it, and a while longer.

    It has no foreign key: a million of them are copied in at once, and each would be looked up.
    """

    run = models.CharField(max_length=32, db_collation="C")
    kind = models.CharField(max_length=10)
    provider_money_id = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=300)
    word = models.CharField(max_length=16)
    provider_status = models.CharField(max_length=100)
    at = models.DateTimeField(null=True)
    payer_hint = models.CharField(max_length=32)
    fee_amount = models.BigIntegerField(null=True)
    fee_currency = models.CharField(max_length=3)
    gives_back = models.CharField(max_length=100, default="", db_default="")
    payment_id = models.CharField(max_length=100, default="", db_default="")
    settlement = models.CharField(max_length=100, db_default="")

    class Meta:
        # Runs come one after another, and their lines with them: an index of ranges costs a copy nothing.
        indexes = [BrinIndex(fields=["run"], name="staged_line_run", autosummarize=True)]

    def __str__(self) -> str:
        return self.provider_money_id


class Discrepancy(models.Model):
    """What a provider's statement and our books disagree about: one case for ever per account, kind and number.

    `key` is the provider's number of the money, our receipt's id where that has none, or a settlement's. `listed_…` is
    what the provider says, or the bank, `booked_…` what we have, each empty where that side has nothing. `receipt` is
    the id of ours, or of a dispute's movement; it may be gone once it was recognised as another's money. `gives_back`
    and `payment_id` are what the line names: the number of the captured money, and the provider's id of the payment.
    `confirmed` is false while only an uploaded file tells of it. `outcome` says how it was closed, and `booked_as` the
    payment, refund or unallocated receipt that a repair has led to. `owner` is who looks after it; `proposed_by` who
    has asked for its end, `proposed_match` the unallocated receipt that is to be the same money, and `closed_by` who
    has allowed it.
    """

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", "listed there, not booked here"
        MISSING_THERE = "missing_there", "booked here, not listed there"
        AMOUNT = "amount", "another amount, or direction"
        CURRENCY = "currency", "another currency"
        STATE = "state", "booked here, and not final there"
        DUPLICATE = "duplicate", "listed twice, with different words"
        FEE = "fee", "another fee than was booked"

    class Outcome(models.TextChoices):
        OPEN = "open", "is open"
        REPAIRED = "repaired", "was repaired, as it was certain"
        EXPLAINED = "explained", "was explained by what came later"
        MATCHED = "matched", "was matched with other money by two people"
        CLOSED = "closed", "was closed as it is by two people"
        BOOKED = "booked", "was booked by two people"

    id = PublicIdField(prefix="disc")
    run = models.ForeignKey(Run, models.PROTECT, related_name="discrepancies")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    livemode = models.BooleanField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(max_length=100)
    receipt = models.CharField(max_length=32, blank=True, default="", db_collation="C")
    direction = models.CharField(max_length=10)
    listed_amount = models.BigIntegerField(null=True)
    listed_currency = models.CharField(max_length=3, blank=True, default="")
    listed_fee = models.BigIntegerField(null=True)
    booked_amount = models.BigIntegerField(null=True)
    booked_currency = models.CharField(max_length=3, blank=True, default="")
    booked_fee = models.BigIntegerField(null=True)
    reference = models.CharField(max_length=100, blank=True, default="")
    gives_back = models.CharField(max_length=100, blank=True, default="", db_default="")
    payment_id = models.CharField(max_length=100, blank=True, default="", db_default="")
    provider_status = models.CharField(max_length=100, blank=True, default="")
    payer_hint = models.CharField(max_length=32, blank=True, default="")
    listed_at = models.DateTimeField(null=True)
    confirmed = models.BooleanField(default=True, db_default=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.OPEN)
    booked_as = models.CharField(max_length=32, blank=True, default="")
    owner = models.CharField(max_length=64, blank=True, default="")
    proposed_by = models.CharField(max_length=64, blank=True, default="")
    proposed_match = models.CharField(max_length=32, blank=True, default="")
    closed_by = models.CharField(max_length=64, blank=True, default="")
    found_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "discrepancies"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["missing_here", "missing_there", "amount", "currency", "state", "duplicate", "fee"]
                ),
                name="discrepancy_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome="open", closed_at__isnull=True)
                | Q(outcome__in=["repaired", "explained", "matched", "closed", "booked"], closed_at__isnull=False),
                name="discrepancy_is_open_or_closed",
            ),
            models.CheckConstraint(
                condition=~Q(outcome__in=["matched", "closed", "booked"])
                | (~Q(proposed_by="") & ~Q(closed_by="") & ~Q(closed_by=F("proposed_by"))),
                name="two_people_close_a_discrepancy",
            ),
            models.UniqueConstraint(fields=["account", "kind", "key"], name="one_discrepancy_per_kind_and_number"),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="discrepancy_list"),
            models.Index(fields=["key"], name="discrepancy_key"),
            models.Index(
                fields=["account", "kind", "id"], name="discrepancy_open", condition=Q(closed_at__isnull=True)
            ),
        ]
        permissions = [("close_discrepancy", "Can take, note, and close or match discrepancies with a second person")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_unnumbered(self) -> bool:
        """Whether it is about money of ours that has no number there."""
        return bool(self.receipt) and self.key == self.receipt

    @property
    def settlement(self) -> str:
        """The id of the settlement that it is about; empty where it is about one movement of money."""
        return self.key if self.direction == "payout" else ""

    @property
    def listed(self) -> Money | None:
        return None if self.listed_amount is None else Money(self.listed_amount, self.listed_currency)

    @property
    def booked(self) -> Money | None:
        return None if self.booked_amount is None else Money(self.booked_amount, self.booked_currency)
