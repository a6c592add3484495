"""Recurring payments: schedules, their periods and the tries to charge one."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields
import core.ids

_TOGETHER = [
    ("payments_schedule", "customer_id, merchant_id, livemode", "merchants_customer (id, merchant_id, livemode)"),
    ("payments_schedule", "saved_method_id, merchant_id, livemode", "payments_savedmethod (id, merchant_id, livemode)"),
    ("payments_scheduleperiod", "schedule_id, livemode", "payments_schedule (id, livemode)"),
    ("payments_schedulecharge", "period_id, livemode", "payments_scheduleperiod (id, livemode)"),
    ("payments_schedulecharge", "payment_id, livemode", "payments_payment (id, livemode)"),
    ("payments_schedulecharge", "saved_method_id, livemode", "payments_savedmethod (id, livemode)"),
]
"""Of one merchant and mode, as the database keeps them (security.md 10)."""


def _name(table: str, columns: str) -> str:
    return f"{table}_{columns.partition(',')[0]}_same_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0007_webhooks_whole"),
        ("payments", "0012_reported_receipts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Schedule",
            fields=[
                ("livemode", models.BooleanField()),
                ("sequence", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("state_changed_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("id", core.fields.PublicIdField(prefix="sch", serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "active"),
                            ("paused", "paused"),
                            ("cancelled", "cancelled"),
                            ("completed", "completed"),
                        ],
                        default="active",
                        editable=False,
                        max_length=24,
                    ),
                ),
                ("amount", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                (
                    "unit",
                    models.CharField(
                        choices=[("day", "day"), ("week", "week"), ("month", "month"), ("year", "year")], max_length=8
                    ),
                ),
                ("interval", models.PositiveSmallIntegerField()),
                ("weekday", models.CharField(blank=True, default="", max_length=9)),
                ("day", models.PositiveSmallIntegerField(null=True)),
                ("zone", models.CharField(max_length=64)),
                ("at", models.TimeField()),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField(null=True)),
                ("count", models.PositiveIntegerField(null=True)),
                ("retries", models.JSONField(default=list)),
                ("notice_days", models.PositiveSmallIntegerField(default=0)),
                (
                    "on_failure",
                    models.CharField(
                        choices=[("continue", "Continue"), ("pause", "Pause")], default="continue", max_length=8
                    ),
                ),
                (
                    "missed",
                    models.CharField(
                        choices=[("skip", "Skip"), ("charge_latest", "Charge Latest")], default="skip", max_length=16
                    ),
                ),
                ("reference", models.CharField(blank=True, default="", max_length=100)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                ("return_url", models.CharField(blank=True, default="", max_length=500)),
                ("metadata", models.JSONField(default=dict)),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="schedules",
                        to="merchants.customer",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
                    ),
                ),
                (
                    "saved_method",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="schedules", to="payments.savedmethod"
                    ),
                ),
            ],
            options={
                "permissions": [("act_on_schedule", "Can pause, resume and cancel a schedule")],
            },
        ),
        migrations.CreateModel(
            name="SchedulePeriod",
            fields=[
                ("lane", models.CharField(max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("claim", models.UUIDField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("livemode", models.BooleanField()),
                ("sequence", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("state_changed_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("id", core.fields.PublicIdField(prefix="per", serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("upcoming", "upcoming"),
                            ("awaiting_amount", "awaiting amount"),
                            ("charging", "charging"),
                            ("requires_action", "requires action"),
                            ("retrying", "retrying"),
                            ("paid", "paid"),
                            ("failed", "failed"),
                            ("skipped", "skipped"),
                        ],
                        default="upcoming",
                        editable=False,
                        max_length=24,
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("amount", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                ("charge_at", models.DateTimeField()),
                ("noticed_at", models.DateTimeField(null=True)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("charge_number", models.PositiveSmallIntegerField(default=0)),
                ("key", models.CharField(default=core.ids.random_token, max_length=32)),
                (
                    "skipped_because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("missed", "Missed"),
                            ("paused", "Paused"),
                            ("cancelled", "Cancelled"),
                            ("asked", "Asked"),
                        ],
                        default="",
                        max_length=9,
                    ),
                ),
                ("failure_code", models.CharField(blank=True, default="", max_length=32)),
                ("failure_message", models.CharField(blank=True, default="", max_length=300)),
                ("late", models.BooleanField(default=False)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="merchants.merchant"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="periods", to="payments.schedule"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ScheduleCharge",
            fields=[
                ("id", core.fields.PublicIdField(prefix="schg", serialize=False)),
                ("number", models.PositiveSmallIntegerField()),
                ("livemode", models.BooleanField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[("open", "Open"), ("paid", "Paid"), ("ended", "Ended"), ("surplus", "Surplus")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("failure_code", models.CharField(blank=True, default="", max_length=32)),
                ("failure_message", models.CharField(blank=True, default="", max_length=300)),
                ("is_retryable", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
                (
                    "payment",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="schedule_charge",
                        to="payments.payment",
                    ),
                ),
                (
                    "saved_method",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.savedmethod"
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charges",
                        to="payments.scheduleperiod",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(fields=["merchant", "livemode", "-id"], name="schedule_list"),
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(fields=["customer", "-id"], name="schedule_customer"),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "paused", "cancelled", "completed"])),
                name="schedule_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="schedule_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.UniqueConstraint(fields=("id", "livemode"), name="schedule_has_one_mode"),
        ),
        migrations.AddIndex(
            model_name="scheduleperiod",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["lane", "due_at"], name="period_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduleperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "upcoming",
                            "awaiting_amount",
                            "charging",
                            "requires_action",
                            "retrying",
                            "paid",
                            "failed",
                            "skipped",
                        ],
                    )
                ),
                name="period_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduleperiod",
            constraint=models.UniqueConstraint(fields=("schedule", "number"), name="one_period_per_number"),
        ),
        migrations.AddConstraint(
            model_name="scheduleperiod",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "upcoming")), fields=("schedule",), name="one_upcoming_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduleperiod",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="period_amount_is_positive"),
        ),
        migrations.AddConstraint(
            model_name="scheduleperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__isnull", False),
                    ("state", "upcoming"),
                    ("state", "awaiting_amount"),
                    ("state", "skipped"),
                    _connector="OR",
                ),
                name="a_charged_period_has_an_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduleperiod",
            constraint=models.UniqueConstraint(fields=("id", "livemode"), name="period_has_one_mode"),
        ),
        migrations.AddConstraint(
            model_name="schedulecharge",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["open", "paid", "ended", "surplus"])),
                name="charge_outcome_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="schedulecharge",
            constraint=models.UniqueConstraint(fields=("period", "number"), name="one_charge_per_number"),
        ),
        migrations.AddConstraint(
            model_name="schedulecharge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome__in", ["open", "paid"])),
                fields=("period",),
                name="one_open_or_paid_charge",
            ),
        ),
        migrations.AddConstraint(
            model_name="schedulecharge",
            constraint=models.CheckConstraint(
                condition=models.Q(("payment__isnull", False), ("outcome", "ended"), _connector="OR"),
                name="only_an_ended_charge_has_no_payment",
            ),
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} ADD CONSTRAINT {_name(table, columns)} FOREIGN KEY ({columns}) REFERENCES {parent}",
                f"ALTER TABLE {table} DROP CONSTRAINT {_name(table, columns)}",
            )
            for table, columns, parent in _TOGETHER
        ),
    ]
