"""Money that is told of and not proven: reported receipts, and the mark on their payments."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_TABLE = "payments_reportedreceipt"
_PAIRS = [("payment_id", "payments_payment"), ("account_id", "merchants_provideraccount")]
"""Test and live are kept apart by the database (security.md 10)."""


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0004_fee_schedules"),
        ("payments", "0011_lines_and_payers"),
    ]

    operations = [
        migrations.AddField(model_name="payment", name="unconfirmed", field=models.BooleanField(default=False)),
        migrations.CreateModel(
            name="ReportedReceipt",
            fields=[
                ("lane", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("claim", models.UUIDField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("id", core.fields.PublicIdField(prefix="rrep", serialize=False)),
                ("livemode", models.BooleanField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "is being asked about"),
                            ("confirmed", "the provider shows it, and it is booked"),
                            ("unconfirmed", "nobody could tell"),
                            ("denied", "the provider knows of no such money here"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("provider_money_id", models.CharField(max_length=100)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reference", models.CharField(blank=True, default="", max_length=100)),
                ("payer_hint", models.CharField(blank=True, default="", max_length=32)),
                ("token", core.fields.SealedField(editable=False, null=True)),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("conversations", models.JSONField(default=list)),
                ("provider_status", models.CharField(blank=True, default="", max_length=100)),
                ("asked", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
                ("concluded_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="merchants.provideraccount",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reported_receipts",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "permissions": [("ask_about_receipt", "Can ask about a reported receipt again")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)), fields=["lane", "due_at"], name="reported_due"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["waiting", "confirmed", "unconfirmed", "denied"])),
                        name="reported_outcome_is_known",
                    ),
                    models.UniqueConstraint(fields=("account", "provider_money_id"), name="one_report_per_money_id"),
                ],
            },
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {_TABLE} ADD CONSTRAINT {_TABLE}_{column}_same_mode "
                f"FOREIGN KEY ({column}, livemode) REFERENCES {parent} (id, livemode)",
                f"ALTER TABLE {_TABLE} DROP CONSTRAINT {_TABLE}_{column}_same_mode",
            )
            for column, parent in _PAIRS
        ),
    ]
