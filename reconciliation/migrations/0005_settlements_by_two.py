from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0004_settlements"),
    ]

    operations = [
        migrations.AddField(
            model_name="settlement",
            name="is_told_by_two",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="settlementline",
            name="upload",
            field=models.CharField(db_collation="C", default="", max_length=32),
            preserve_default=False,
        ),
    ]
