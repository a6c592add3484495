"""Fee schedules and their tiers: inserted and never changed, says the database."""

from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import core.clock
import core.fields

_FORBID = """
CREATE TRIGGER fee_schedules_are_append_only BEFORE UPDATE OR DELETE ON merchants_feeschedule
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fee_tiers_are_append_only BEFORE UPDATE OR DELETE ON merchants_feetier
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

_ALLOW = """
DROP TRIGGER fee_schedules_are_append_only ON merchants_feeschedule;
DROP TRIGGER fee_tiers_are_append_only ON merchants_feetier;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0003_staff_permissions"),
        ("events", "0002_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="FeeSchedule",
            fields=[
                ("id", core.fields.PublicIdField(prefix="fsch", serialize=False)),
                ("method", models.CharField(blank=True, default="", max_length=24)),
                ("currency", models.CharField(max_length=3)),
                ("effective_from", models.DateTimeField()),
                ("tax_percent", models.DecimalField(decimal_places=4, default=Decimal("0"), max_digits=7)),
                ("note", models.CharField(blank=True, default="", max_length=300)),
                ("created_by", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=core.clock.now)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fee_schedules",
                        to="merchants.provideraccount",
                    ),
                ),
            ],
            options={
                "default_permissions": ("add", "view"),
            },
        ),
        migrations.CreateModel(
            name="FeeTier",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("from_amount", models.BigIntegerField()),
                ("fixed", models.BigIntegerField()),
                ("percent", models.DecimalField(decimal_places=4, max_digits=7)),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tiers", to="merchants.feeschedule"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.AddConstraint(
            model_name="feeschedule",
            constraint=models.UniqueConstraint(
                fields=("account", "method", "currency", "effective_from"), name="one_fee_schedule_from_a_moment"
            ),
        ),
        migrations.AddConstraint(
            model_name="feeschedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("tax_percent__gte", 0), ("tax_percent__lte", 100)), name="fee_tax_is_a_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="feetier",
            constraint=models.UniqueConstraint(fields=("schedule", "from_amount"), name="one_fee_tier_from_an_amount"),
        ),
        migrations.AddConstraint(
            model_name="feetier",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_amount__gte", 0)), name="fee_tier_starts_at_an_amount"
            ),
        ),
        migrations.AddConstraint(
            model_name="feetier",
            constraint=models.CheckConstraint(condition=models.Q(("fixed__gte", 0)), name="fixed_fee_is_not_negative"),
        ),
        migrations.AddConstraint(
            model_name="feetier",
            constraint=models.CheckConstraint(
                condition=models.Q(("percent__gte", 0), ("percent__lte", 100)), name="fee_percent_is_a_share"
            ),
        ),
        migrations.RunSQL(_FORBID, _ALLOW),
    ]
