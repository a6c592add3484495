"""Every setting of the project, on one page, read from the environment through django-environ.

What is missing or malformed stops the start with a message that names the variable. Development
defaults hold only where DEBUG or a LANGO_DEVELOPMENT environment says so.
"""

from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from core.crypto import KeyRing, Secret
from merchants import subscriptions
from orders import configured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEVELOPMENT = env.bool("LANGO_DEVELOPMENT", default=False)
DEBUG = env.bool("DEBUG", default=False)


def _required(name: str, *, development: str) -> str:
    if DEVELOPMENT:
        return str(env.str(name, default=development))
    value = str(env.str(name, default=""))
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it in the environment; for a machine of your own start with `make demo`, "
            "or set LANGO_DEVELOPMENT=1 to use development defaults."
        )
    return value


def _database() -> dict[str, object]:
    url = env.str("DATABASE_URL", default="")
    if not url:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set. Run through `python -m config.embedded run -- …` (as make does) for an "
            "embedded PostgreSQL, or set it to postgresql://user:password@host:port/name."
        )
    told = env.db_url_config(url)
    return {
        **told,
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": env.int("DATABASE_POOL", default=16),
                "timeout": 2,
                "max_waiting": 512,
                "reconnect_timeout": 5,
            },
            "server_side_binding": True,
            "prepare_threshold": 3,
            "connect_timeout": 3,
            # A server that is gone without a word is known to be, within some seconds.
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            **told.get("OPTIONS", {}),
        },
    }


# Django

SECRET_KEY = _required("SECRET_KEY", development="development-only-and-never-in-production-0123456789")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEVELOPMENT else [])
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ORDER_DATABASES = configured.parse(env.str("ORDER_DATABASES", default=""))
"""Databases of merchants' tills, by name: a JSON list of `{"name", "url", "merchants", "livemode"}`."""
DATABASES = {"default": _database(), **configured.connections_to(ORDER_DATABASES.values())}
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
FILE_UPLOAD_HANDLERS = ["core.uploads.FromStaffAlone", "django.core.files.uploadhandler.TemporaryFileUploadHandler"]
APPEND_SLASH = False

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config",
    "core",
    "events",
    "ledger",
    "merchants",
    "orders",
    "payments",
    "reconciliation",
]

MIDDLEWARE = [
    "core.middleware.RequestId",
    "core.middleware.Measured",
    "core.middleware.WholeBody",
    "core.middleware.DatabaseAway",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

STATIC_URL = "static/"
STATIC_ROOT = None if DEVELOPMENT else BASE_DIR / "var" / "static"
WHITENOISE_USE_FINDERS = DEVELOPMENT
LOGIN_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_SSL_REDIRECT = not DEVELOPMENT
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = 0 if DEVELOPMENT else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEVELOPMENT
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEVELOPMENT
X_FRAME_OPTIONS = "DENY"

# Ourselves, as the outside world sees us

PUBLIC_URL = _required("PUBLIC_URL", development="http://127.0.0.1:8000").rstrip("/")
"""Where providers and browsers reach us; callback and return URLs begin with it."""
STREAMS_URL = str(env.str("STREAMS_URL", default=PUBLIC_URL)).rstrip("/")
"""Where screens reach the process of live events: the same, where a proxy in front leads them there by their path."""
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
OUTGOING_LOOPBACK_ALLOWED = env.bool("OUTGOING_LOOPBACK_ALLOWED", default=DEVELOPMENT)
"""Development only: lets calls reach simulators and receivers on this machine. `check --deploy` refuses it."""
SIMULATORS_URL = env.str("SIMULATORS_URL", default="http://127.0.0.1" if DEVELOPMENT else "")
SIMULATORS_PORT = env.int("SIMULATORS_PORT", default=12110)
"""Each provider's simulator listens on this port plus the provider's place in its registry."""
DEMO_CREDENTIALS = env.str("DEMO_CREDENTIALS", default="") if DEVELOPMENT else ""
"""The file with the demo merchant's own key; it routes the page /demo/."""
CALLBACK_MAX_BYTES = env.int("CALLBACK_MAX_BYTES", default=262_144)

# Secrets

KEY_RING = KeyRing.parse(
    _required("MASTER_KEYS", development="development:ZGV2ZWxvcG1lbnQtb25seS1tYXN0ZXIta2V5LTMyYnk=")
)
"""Master keys as `id:base64` of 32 bytes each, the active one first."""
INTERNAL_SUBSCRIBERS = subscriptions.parse(env.str("INTERNAL_SUBSCRIBERS", default=""), https_only=not DEVELOPMENT)
"""Who receives all merchants' events, by name: a JSON list of `{"name", "url", "secret"}`."""

# Time

IDEMPOTENCY_LEASE = timedelta(seconds=env.float("IDEMPOTENCY_LEASE_SECONDS", default=60))
IDEMPOTENCY_ANSWERS_KEPT = timedelta(hours=48)
WORK_LEASE = timedelta(seconds=env.float("WORK_LEASE_SECONDS", default=60))
"""How long claimed work may stay with a worker before another takes it over."""
SCHEDULE_LEASE = timedelta(seconds=env.float("SCHEDULE_LEASE_SECONDS", default=20))
"""How long a schedule that was begun is its worker's, who renews it for as long as it takes."""
TOKEN_LEASE = timedelta(seconds=env.float("TOKEN_LEASE_SECONDS", default=12))
"""How long one process may be fetching an access token while others wait for it."""
PROMPT_LIFE = timedelta(seconds=env.float("PROMPT_LIFE_SECONDS", default=300))
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=5)
"""First calls in a row that nobody answers, after which an account gets no new payments for a while."""
BREAKER_REST = timedelta(seconds=env.float("BREAKER_REST_SECONDS", default=5))
"""For how long then, until one payment is let through; doubled with each trial in vain."""
BREAKER_LONGEST_REST = timedelta(seconds=60)
EVIDENCE_NOTICES = (timedelta(days=3), timedelta(days=1))
"""How long before the evidence of a dispute is due its merchant is told so, once each."""
CUSTOMER_ACTION_LIFE = timedelta(hours=env.float("CUSTOMER_ACTION_HOURS", default=72))
"""How long a customer has to answer their bank: for a card that is being saved, or charged while they were away."""
CARD_NOTICE = timedelta(days=30)
"""How long before the end of a saved card's last month its merchant is told so."""
RESOLVER_PACE = env.float("RESOLVER_PACE", default=1.0)
"""Multiplies the times at which providers declare that they want to be asked."""
RECONCILED_OFTEN = timedelta(hours=3)
"""How far back the runs of every quarter of an hour look at least; the nightly ones as far as the provider lists."""
STATEMENT_LINES_KEPT = timedelta(days=1)
"""How long the lines of a finished reconciliation run stay; what was found in them stays for ever."""
STATEMENT_FILES_KEPT = timedelta(days=7)
"""How long the contents of uploaded statements stay; that they were uploaded stays for ever."""
BANK_LINES_KEPT = timedelta(days=90)
"""How long lines of a bank's statement stay that are no settlement's: they tell of what is none of ours."""
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=5)
STREAM_HEARTBEAT_SECONDS = env.float("STREAM_HEARTBEAT_SECONDS", default=15)
"""How often an open stream of live events shows that it lives. What has not been taken by the next one cuts it off."""
STREAM_POLL_SECONDS = env.float("STREAM_POLL_SECONDS", default=1)
"""How often streams look into the outbox while Redis, which wakes them, is away."""
STREAM_CHECK_SECONDS = env.float("STREAM_CHECK_SECONDS", default=5)
"""How often the tokens of open streams are looked at again."""
AUDIT_BATCH_SECONDS = env.float("AUDIT_BATCH_SECONDS", default=1.0)
"""How long audit rows of reads may wait to be written together; a process that is killed loses them. 0: not at all."""

# Limits

RATE_LIMIT_PER_KEY = env.str("RATE_LIMIT_PER_KEY", default="6000/minute")
RATE_LIMIT_PER_MERCHANT = env.str("RATE_LIMIT_PER_MERCHANT", default="30000/minute")
"""With all of a merchant's keys in one mode: another key is no way around its own limit."""
RATE_LIMIT_PER_ADDRESS = env.str("RATE_LIMIT_PER_ADDRESS", default="120/minute")
"""Per address and only for requests whose key is unknown or not current."""
REFUSALS_RECORDED_PER_KEY = env.str("REFUSALS_RECORDED_PER_KEY", default="60/minute")
"""Audit rows of refused requests with a key that is known; further ones are counted."""
KEYS_PER_MERCHANT = env.int("KEYS_PER_MERCHANT", default=100)
"""Current API keys in each mode, beyond which no key makes another."""
ENDPOINTS_PER_MERCHANT = env.int("ENDPOINTS_PER_MERCHANT", default=50)
"""Enabled webhook endpoints in each mode."""
STATEMENT_MAX_BYTES = env.int("STATEMENT_MAX_BYTES", default=134_217_728)
"""Of one uploaded statement; a workbook has at most 32 MB."""
STATEMENT_MAX_LINES = env.int("STATEMENT_MAX_LINES", default=2_000_000)
DOWNLOADS_AT_ONCE = env.int("DOWNLOADS_AT_ONCE", default=4)
"""Streamed answers to one merchant in one process: each holds a thread of the web server until it has been read."""
STREAMS_PER_STORE = env.int("STREAMS_PER_STORE", default=100)
"""Open streams of one store in one process."""
DOOR_ANSWER_SECONDS = env.float("DOOR_ANSWER_SECONDS", default=5)
"""How long a callback whose answer decides something for the payer may take; M-Pesa waits 8 seconds."""
QUARANTINE_PER_MINUTE = env.int("QUARANTINE_PER_MINUTE", default=60)
QUARANTINE_KEPT = timedelta(days=7)
REFUSED_KEYS_KEPT = timedelta(days=30)
"""Counts of requests with unknown keys: who tried, from which block of addresses, in which minute."""
DELIVERY_LANE = env.int("DELIVERY_LANE", default=16)
"""Deliveries in flight to one endpoint."""
DELIVERY_THREADS = env.int("DELIVERY_THREADS", default=96)

# Redis and Celery

REDIS_URL = _required("REDIS_URL", development="redis://127.0.0.1:6379/0")
REDIS_TIMEOUT = 0.04
"""Seconds; a request never waits longer for Redis, which may be away."""
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "lango:",
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "lango"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = "UTC"

# The API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["merchants.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["merchants.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["core.api.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.JsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "config.documenting.operations.Schema",
    "EXCEPTION_HANDLER": "core.api.handle_exception",
    # `?format=` is no parameter of ours: the form of an answer is asked for by `Accept`.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
API_VERSION = "2026-11-20"
SPECTACULAR_SETTINGS = {
    "TITLE": "Lango",
    "DESCRIPTION": "Payments, messages and identities through one gate.",
    "VERSION": API_VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SCHEMA_PATH_PREFIX": "/v1/",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Several objects have a `state` or `type` of their own: each set of words by its name.
    "ENUM_NAME_OVERRIDES": {
        "Method": "payments.serializers.METHODS",
        "KeptMethod": "payments.saved_serializers.METHODS",
        "PaymentState": "payments.states.PaymentState",
        "RefundState": "payments.states.RefundState",
        "FailureCode": "payments.providers.base.FailureCode",
        "DeliveryState": ["pending", "delivered", "failed", "discarded"],
        "ReplayState": ["running", "finished", "stopped"],
        "CustomerState": "merchants.states.CustomerState",
        "TransactionState": "merchants.api_transactions.STATES",
        "TransactionType": "merchants.api_transactions.KINDS",
        "BalanceTransactionType": "merchants.api_balance.TYPES",
        "CustomerType": "merchants.models.Customer.Type",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.documenting.document.complete",
    ],
}

# Metrics

METRICS_TOKEN = Secret(env.str("METRICS_TOKEN", default=""))
"""Whoever presents it as a bearer token may read /metrics. Without it and METRICS_ADDRESSES nobody may."""
METRICS_ADDRESSES = env.list("METRICS_ADDRESSES", default=[])
"""Addresses or CIDR blocks that may read /metrics without a token."""
METRICS_FOLDER = env.str("PROMETHEUS_MULTIPROC_DIR", default="")
"""Where all processes of this installation count together; without it each process answers for itself alone."""

# Logs

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "core.logging.JsonFormatter"}},
    "filters": {
        "without_paths": {"()": "core.logging.WithoutPaths"},
        "without_ended_streams": {"()": "core.logging.WithoutEndedStreams"},
    },
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["out"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.request": {"level": "ERROR", "filters": ["without_paths"]},
        # Its own handlers would write lines that are no JSON; of requests we tell ourselves.
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.error": {"level": "WARNING", "filters": ["without_ended_streams"]},
        "uvicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}

UNFOLD = {
    "SITE_TITLE": "Lango",
    "SITE_HEADER": "Lango",
    "SITE_SUBHEADER": "Money, messages and identities",
    "SITE_SYMBOL": "door_open",
    "SITE_URL": "/docs",
    "SHOW_HISTORY": False,
    "DASHBOARD_CALLBACK": "config.dashboard.show",
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": "config.dashboard.navigation"},
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.801)",
            "200": "oklch(91% .096 180.426)",
            "300": "oklch(85.5% .138 181.071)",
            "400": "oklch(77.7% .152 181.912)",
            "500": "oklch(70.4% .14 182.503)",
            "600": "oklch(52% .104 184.704)",
            "700": "oklch(45% .09 186.391)",
            "800": "oklch(40% .07 188.216)",
            "900": "oklch(38.6% .063 188.416)",
            "950": "oklch(27.7% .046 192.524)",
        }
    },
}
