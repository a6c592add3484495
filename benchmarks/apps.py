"""What settings of the benchmarks add to the project."""

import json
import os

from django.apps import AppConfig


class Addresses(AppConfig):
    """Midtrans has the hosts of MIDTRANS_HOSTS too, a JSON object of addresses by name."""

    name = "benchmarks"

    def ready(self) -> None:
        from payments.providers.midtrans import Midtrans

        Midtrans.hosts = {**Midtrans.hosts, **json.loads(os.environ["MIDTRANS_HOSTS"])}
