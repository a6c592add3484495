"""The project's settings, with more addresses at which Midtrans may be.

Accounts of one provider are all at one simulator; a case that needs one of them to be away names these settings.
"""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "benchmarks.apps.Addresses"]
