"""Order sources and orders, each of one merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_TOGETHER = """
ALTER TABLE orders_order ADD CONSTRAINT orders_order_source_id_same_merchant_and_mode
    FOREIGN KEY (source_id, merchant_id, livemode) REFERENCES orders_ordersource (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE orders_order DROP CONSTRAINT orders_order_source_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("merchants", "0009_stores"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderSource",
            fields=[
                ("id", core.fields.PublicIdField(prefix="osrc", serialize=False)),
                ("livemode", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=100)),
                ("database", models.CharField(max_length=32)),
                (
                    "schema",
                    models.CharField(choices=[("pos", "pos"), ("erp", "erp"), ("mapping", "mapping")], max_length=8),
                ),
                ("mapping", models.JSONField(blank=True, default=dict)),
                ("table", models.CharField(editable=False, max_length=63)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("is_enabled", models.BooleanField(default=True)),
                ("fault", models.CharField(blank=True, default="", editable=False, max_length=300)),
                ("verified_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_sources",
                        to="merchants.merchant",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("change_ordersource", "Can change an order source, verify it, and switch it off and on")
                ],
                "default_permissions": ("add", "view"),
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("lane", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("claim", models.UUIDField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("id", core.fields.PublicIdField(prefix="ord", serialize=False)),
                ("livemode", models.BooleanField()),
                ("number", models.CharField(max_length=100)),
                ("writing", models.CharField(blank=True, default="", max_length=8)),
                ("written", models.CharField(blank=True, default="", max_length=8)),
                ("written_at", models.DateTimeField(null=True)),
                ("news", models.PositiveIntegerField(default=0)),
                ("paid_elsewhere", models.BooleanField(default=False)),
                ("accepted", models.BooleanField(default=False)),
                ("fault", models.CharField(blank=True, default="", max_length=300)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="orders.ordersource",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("write_order", "Can have an order's payment status written now, and accept one that was edited")
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.AddIndex(
            model_name="ordersource",
            index=models.Index(fields=["merchant", "livemode", "-id"], name="order_source_list"),
        ),
        migrations.AddConstraint(
            model_name="ordersource",
            constraint=models.UniqueConstraint(
                fields=("id", "merchant", "livemode"), name="source_has_one_merchant_and_mode"
            ),
        ),
        migrations.AddConstraint(
            model_name="ordersource",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_enabled", True)), fields=("database", "table"), name="one_source_per_table"
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["lane", "due_at"], name="order_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=("source", "number"), name="one_row_per_order"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                fields=("id", "merchant", "livemode"), name="order_has_one_merchant_and_mode"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("written__in", ["", "paid", "refunded", "expired"])), name="written_word_is_known"
            ),
        ),
        migrations.RunSQL(_TOGETHER, _APART),
    ]
