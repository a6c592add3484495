"""Rows of order sources, and of the orders there that payments were asked for. No writes here."""

from contextlib import AbstractContextManager

from django.db import models

from core import clock
from core.fields import PublicIdField
from events.models import Work
from merchants.models import Merchant
from orders import databases
from orders.mapping import EXPIRED, PAID, REFUNDED, OrderMapping, Schema, of


class OrderSource(models.Model):
    """A merchant's POS or ERP: a database that the settings name, and the schema of its orders.

    `mapping` is given for the schema "mapping" alone; `table` is where its orders stand, which one source reads.
    `fault` says why it could not be used when it was last tried; empty: it could.
    """

    id = PublicIdField(prefix="osrc")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="order_sources")
    livemode = models.BooleanField(default=False)
    name = models.CharField(max_length=100)
    database = models.CharField(max_length=32)
    schema = models.CharField(max_length=8, choices=[(schema.value, schema.value) for schema in Schema])
    mapping = models.JSONField(default=dict, blank=True)
    table = models.CharField(max_length=63, editable=False)
    metadata = models.JSONField(default=dict, blank=True)
    is_enabled = models.BooleanField(default=True)
    fault = models.CharField(max_length=300, blank=True, default="", editable=False)
    verified_at = models.DateTimeField(default=clock.now, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "merchant", "livemode"], name="source_has_one_merchant_and_mode"),
            models.UniqueConstraint(
                fields=["database", "table"], name="one_source_per_table", condition=models.Q(is_enabled=True)
            ),
        ]
        indexes = [models.Index(fields=["merchant", "livemode", "-id"], name="order_source_list")]
        default_permissions = ("add", "view")
        permissions = [("change_ordersource", "Can change an order source, verify it, and switch it off and on")]

    def __str__(self) -> str:
        return self.name

    def reached(self) -> AbstractContextManager[str]:
        """Its database, as `databases.reached` gives it."""
        return databases.reached(self.database, merchant=self.merchant_id, livemode=self.livemode)

    @property
    def read_by(self) -> OrderMapping:
        return of(self.schema, self.mapping)


class Order(Work):
    """An order in a source that a payment was asked for, and what was written back of it. `lane` is the source.

    `writing` is the word that we have begun to write, `written` the last that certainly stands there. `news` counts
    what has happened to its payments. `paid_elsewhere` says that it was marked paid before our money came, `accepted`
    that staff let it be marked paid although its total is another than was paid.
    """

    id = PublicIdField(prefix="ord")
    source = models.ForeignKey(OrderSource, models.PROTECT, related_name="orders", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    number = models.CharField(max_length=100)
    writing = models.CharField(max_length=8, blank=True, default="")
    written = models.CharField(max_length=8, blank=True, default="")
    written_at = models.DateTimeField(null=True)
    news = models.PositiveIntegerField(default=0)
    paid_elsewhere = models.BooleanField(default=False)
    accepted = models.BooleanField(default=False)
    fault = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "number"], name="one_row_per_order"),
            models.UniqueConstraint(fields=["id", "merchant", "livemode"], name="order_has_one_merchant_and_mode"),
            models.CheckConstraint(
                condition=models.Q(written__in=["", PAID, REFUNDED, EXPIRED]), name="written_word_is_known"
            ),
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="order_due", condition=models.Q(due_at__isnull=False))]
        default_permissions = ("view",)
        permissions = [
            ("write_order", "Can have an order's payment status written now, and accept one that was edited")
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.source_id})"
