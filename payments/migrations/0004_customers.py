"""A payment may be a customer's, of the same merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

_TOGETHER = """
ALTER TABLE payments_payment ADD CONSTRAINT payments_payment_customer_id_same_merchant_and_mode
    FOREIGN KEY (customer_id, merchant_id, livemode) REFERENCES merchants_customer (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE payments_payment DROP CONSTRAINT payments_payment_customer_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0005_customers"),
        ("payments", "0003_fees_and_settlement"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="merchants.customer",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("customer__isnull", False)), fields=["customer", "-id"], name="payment_customer"
            ),
        ),
        migrations.RunSQL(_TOGETHER, _APART),
    ]
