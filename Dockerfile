# One image for the web server, the worker, beat and the migrations: the command says which.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=config.settings

RUN useradd --system --uid 10001 --create-home --shell /usr/sbin/nologin lango
WORKDIR /srv/lango

COPY requirements.txt .
RUN pip install -r requirements.txt

COPY . .
# Static files need no secret and no server, but the settings insist on every variable: these hold for this step alone.
RUN DATABASE_URL=postgresql://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1/0 PUBLIC_URL=https://build.example \
    SECRET_KEY=used-for-this-step-alone MASTER_KEYS=build:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE= \
    python manage.py collectstatic --no-input \
    && install -d -o lango -g lango /run/lango-metrics

USER lango
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "64", "config.wsgi:application"]
