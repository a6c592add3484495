"""A payment may be taken in a store, of the same merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

_TOGETHER = """
ALTER TABLE payments_payment ADD CONSTRAINT payments_payment_store_id_same_merchant_and_mode
    FOREIGN KEY (store_id, merchant_id, livemode) REFERENCES merchants_store (id, merchant_id, livemode)
"""
_APART = "ALTER TABLE payments_payment DROP CONSTRAINT payments_payment_store_id_same_merchant_and_mode"


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0009_stores"),
        ("payments", "0015_saved_wallets"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="merchants.store",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("store__isnull", False)), fields=["store", "-id"], name="payment_store"
            ),
        ),
        migrations.RunSQL(_TOGETHER, _APART),
    ]
