"""Customers; what a customer was merged into is of the same merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_TOGETHER = """
ALTER TABLE merchants_customer ADD CONSTRAINT merchants_customer_merged_into_id_same_merchant_and_mode
    FOREIGN KEY (merged_into_id, merchant_id, livemode) REFERENCES merchants_customer (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE merchants_customer DROP CONSTRAINT merchants_customer_merged_into_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0004_fee_schedules"),
    ]

    operations = [
        migrations.AddField(
            model_name="merchant",
            name="default_region",
            field=models.CharField(
                blank=True,
                default="",
                help_text="The country (ISO 3166, such as KE) in which phone numbers without a country code are read.",
                max_length=2,
            ),
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("livemode", models.BooleanField()),
                ("sequence", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("state_changed_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("id", core.fields.PublicIdField(prefix="cus", serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "active"), ("merged", "merged"), ("erased", "erased")],
                        default="active",
                        editable=False,
                        max_length=24,
                    ),
                ),
                (
                    "type",
                    models.CharField(
                        choices=[("person", "Person"), ("business", "Business")], default="person", max_length=8
                    ),
                ),
                ("reference", models.CharField(max_length=100, null=True)),
                ("name", core.fields.SealedField(null=True)),
                ("email", core.fields.SealedField(null=True)),
                ("phone", core.fields.SealedField(null=True)),
                ("address", core.fields.SealedField(null=True)),
                ("name_hint", models.CharField(blank=True, default="", max_length=40)),
                ("email_hint", models.CharField(blank=True, default="", max_length=260)),
                ("phone_hint", models.CharField(blank=True, default="", max_length=16)),
                ("email_fingerprint", models.CharField(max_length=64, null=True)),
                ("phone_fingerprint", models.CharField(max_length=64, null=True)),
                ("fingerprint_key", models.CharField(blank=True, default="", max_length=64)),
                ("metadata", models.JSONField(default=dict)),
                ("legal_hold", models.BooleanField(default=False)),
                ("legal_hold_reason", models.CharField(blank=True, default="", max_length=300)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="customers", to="merchants.merchant"
                    ),
                ),
                (
                    "merged_into",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="duplicates",
                        to="merchants.customer",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("merge_customer", "Can merge two customers into one"),
                    ("erase_customer", "Can erase a customer"),
                    ("hold_customer", "Can put a customer under a legal hold and end it"),
                ],
                "indexes": [
                    models.Index(fields=["merchant", "livemode", "-id"], name="customer_list"),
                    models.Index(fields=["merchant", "livemode", "email_fingerprint"], name="customer_email"),
                    models.Index(fields=["merchant", "livemode", "phone_fingerprint"], name="customer_phone"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["active", "merged", "erased"])),
                        name="customer_state_is_known",
                    ),
                    models.UniqueConstraint(
                        fields=("merchant", "livemode", "reference"), name="one_customer_per_reference"
                    ),
                    models.UniqueConstraint(
                        fields=("id", "merchant", "livemode"), name="customer_has_one_merchant_and_mode"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "erased"), _negated=True),
                            models.Q(
                                ("address", None),
                                ("email", None),
                                ("email_fingerprint", None),
                                ("email_hint", ""),
                                ("erased_at__isnull", False),
                                ("legal_hold", False),
                                ("metadata", {}),
                                ("name", None),
                                ("name_hint", ""),
                                ("phone", None),
                                ("phone_fingerprint", None),
                                ("phone_hint", ""),
                                ("reference", None),
                            ),
                            _connector="OR",
                        ),
                        name="an_erased_customer_is_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("legal_hold", False), models.Q(("legal_hold_reason", ""), _negated=True), _connector="OR"
                        ),
                        name="a_legal_hold_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "merged"), _negated=True),
                            ("merged_into__isnull", False),
                            _connector="OR",
                        ),
                        name="a_duplicate_has_a_survivor",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_TOGETHER, _APART),
    ]
