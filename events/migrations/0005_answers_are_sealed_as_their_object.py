from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0004_overdrawn_accounts_need_attention")]

    operations = [
        migrations.AddField(
            model_name="idempotencyanswer",
            name="data_key_owner",
            field=models.CharField(blank=True, default="", max_length=32),
        ),
    ]
