"""Money that comes by itself: unallocated receipts, and the registration of the addresses that it comes to."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_PAIRS = [
    ("payments_unallocatedreceipt", "payment_id", "payments_payment"),
    ("payments_unallocatedreceipt", "account_id", "merchants_provideraccount"),
    ("payments_registration", "account_id", "merchants_provideraccount"),
]
"""Test and live are kept apart by the database (security.md 10)."""


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0004_fee_schedules"),
        ("payments", "0007_disputes_modes_are_kept_apart"),
    ]

    operations = [
        migrations.CreateModel(
            name="Registration",
            fields=[
                ("lane", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("claim", models.UUIDField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("id", core.fields.PublicIdField(prefix="regi", serialize=False)),
                ("livemode", models.BooleanField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "waits to be sent"),
                            ("sending", "is being sent"),
                            ("registered", "the provider has taken the addresses"),
                            ("refused", "the provider has refused them"),
                            ("unknown", "the answer was lost"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("provider_code", models.CharField(blank=True, default="", max_length=100)),
                ("message", models.CharField(blank=True, default="", max_length=300)),
                ("by", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
                ("sent_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="UnallocatedReceipt",
            fields=[
                ("livemode", models.BooleanField()),
                ("sequence", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("state_changed_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("id", core.fields.PublicIdField(prefix="unal", serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("assigned", "assigned")],
                        default="open",
                        editable=False,
                        max_length=24,
                    ),
                ),
                ("reference", models.CharField(blank=True, default="", max_length=100)),
                ("payer_hint", models.CharField(blank=True, default="", max_length=32)),
            ],
            options={
                "permissions": [("assign_receipt", "Can assign an unallocated receipt to a payment")],
            },
        ),
        migrations.AlterField(
            model_name="receipt",
            name="attempt",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="receipts", to="payments.attempt"
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("attempt__isnull", False),
                    models.Q(("kind", "capture"), ("provider_money_id__isnull", False)),
                    _connector="OR",
                ),
                name="only_known_captures_are_unallocated",
            ),
        ),
        migrations.AddField(
            model_name="registration",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="registrations",
                to="merchants.provideraccount",
            ),
        ),
        migrations.AddField(
            model_name="registration",
            name="merchant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
            ),
        ),
        migrations.AddField(
            model_name="unallocatedreceipt",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.provideraccount"
            ),
        ),
        migrations.AddField(
            model_name="unallocatedreceipt",
            name="merchant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
            ),
        ),
        migrations.AddField(
            model_name="unallocatedreceipt",
            name="payment",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assigned_receipts",
                to="payments.payment",
            ),
        ),
        migrations.AddField(
            model_name="unallocatedreceipt",
            name="receipt",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="unallocated", to="payments.receipt"
            ),
        ),
        migrations.AddIndex(
            model_name="registration",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["lane", "due_at"], name="registration_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="registration",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["waiting", "sending", "registered", "refused", "unknown"])),
                name="registration_outcome_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="registration",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome__in", ["waiting", "sending"])),
                fields=("account",),
                name="one_open_registration",
            ),
        ),
        migrations.AddIndex(
            model_name="unallocatedreceipt",
            index=models.Index(fields=["merchant", "livemode", "-id"], name="unallocated_list"),
        ),
        migrations.AddIndex(
            model_name="unallocatedreceipt",
            index=models.Index(fields=["account", "reference"], name="unallocated_reference"),
        ),
        migrations.AddConstraint(
            model_name="unallocatedreceipt",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "assigned"])), name="unallocated_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="unallocatedreceipt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payment__isnull", True), ("state", "open")),
                    models.Q(("payment__isnull", False), ("state", "assigned")),
                    _connector="OR",
                ),
                name="assigned_to_a_payment",
            ),
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_mode "
                f"FOREIGN KEY ({column}, livemode) REFERENCES {parent} (id, livemode)",
                f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_same_mode",
            )
            for table, column, parent in _PAIRS
        ),
    ]
