"""Rows of statements that people upload. `reconciliation.models` has them too. No writes here."""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, SealedField
from merchants.models import Merchant, ProviderAccount


class Purpose(models.TextChoices):
    PROVIDER = "provider", "the provider's report"
    BANK = "bank", "the bank's statement"


class StatementMapping(models.Model):
    """How the files of an account are read: one mapping for each purpose. `reading` is a `reconciliation.mapping`."""

    id = PublicIdField(prefix="smap")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    livemode = models.BooleanField()
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    reading = models.JSONField()
    by = models.CharField(max_length=64)
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=["provider", "bank"]), name="mapping_purpose_is_known"),
            models.UniqueConstraint(fields=["account", "purpose"], name="one_mapping_per_purpose"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Upload(models.Model):
    """A file of statement lines, kept in pieces until it is forgotten; the row itself stays.

    `digest` is of the whole file: the same file is kept once for an account and purpose. `about_lines` counts its line
    breaks, 0 where that tells nothing. `covers_from` and `covers_until` are the days that it is said to cover. `fault`
    says what is wrong with the file as a whole; `is_cut` that its end is missing. `run` is the id of the last run that
    read it, and `unreadable` counts the lines that could not be read then.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"

    id = PublicIdField(prefix="upl")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    livemode = models.BooleanField()
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    name = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    format = models.CharField(max_length=4, choices=Format.choices)
    encoding = models.CharField(max_length=16, blank=True, default="")
    about_lines = models.PositiveIntegerField(default=0)
    covers_from = models.DateField(null=True)
    covers_until = models.DateField(null=True)
    reading = models.JSONField(null=True)
    run = models.CharField(max_length=32, blank=True, default="", db_collation="C")
    unreadable = models.PositiveIntegerField(default=0)
    fault = models.CharField(max_length=300, blank=True, default="")
    is_cut = models.BooleanField(default=False)
    by = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now)
    forgotten_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=["provider", "bank"]), name="upload_purpose_is_known"),
            models.UniqueConstraint(fields=["account", "purpose", "digest"], name="one_upload_per_file"),
        ]
        verbose_name = "uploaded statement"
        indexes = [models.Index(fields=["created_at"], name="upload_kept", condition=Q(forgotten_at__isnull=True))]
        permissions = [("map_upload", "Can say how the columns of uploaded statements are read")]

    def __str__(self) -> str:
        return f"{self.name} of {self.account}"


class UploadPiece(models.Model):
    """A part of a file, in its order: it may name payers, and so it is sealed."""

    id = PublicIdField(prefix="uplp")
    upload = models.ForeignKey(Upload, models.CASCADE, related_name="pieces", db_index=False)
    merchant = models.CharField(max_length=32)
    livemode = models.BooleanField()
    number = models.PositiveIntegerField()
    content = SealedField(null=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["upload", "number"], name="one_piece_per_place")]


class UnreadableLine(models.Model):
    """A line that could not be read: which, and why. Never what stood in it."""

    id = models.BigAutoField(primary_key=True)
    upload = models.ForeignKey(Upload, models.CASCADE, related_name="unreadable_lines", db_index=False)
    number = models.PositiveIntegerField()
    reason = models.CharField(max_length=200)

    class Meta:
        indexes = [models.Index(fields=["upload", "number"], name="unreadable_line")]
