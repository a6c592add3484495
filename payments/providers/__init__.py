"""The registry of payment providers: one line each. Its order gives the simulators their ports."""

from typing import Any

from core.providers import Registry
from payments.providers.base import PaymentProvider
from payments.providers.bayarind import Bayarind
from payments.providers.ipaymu import Ipaymu
from payments.providers.midtrans import Midtrans
from payments.providers.mpesa import Mpesa
from payments.providers.paypal import Paypal
from payments.providers.stripe import Stripe
from payments.providers.xendit import Xendit

REGISTRY: Registry[PaymentProvider[Any, Any]] = Registry(
    {
        "stripe": Stripe,
        "mpesa": Mpesa,
        "midtrans": Midtrans,
        "paypal": Paypal,
        "xendit": Xendit,
        "ipaymu": Ipaymu,
        "bayarind": Bayarind,
    }
)
