"""docker-compose.yml is one that Debian's docker-compose accepts, and what it starts is what the documents say."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from config.demonstration import opening
from events import work

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = ("migrations", "web", "streams", "worker", "beat")


def example(**given):
    """The example's variables, with those filled in that it leaves empty."""
    text = (ROOT / "environment.example").read_text()
    return re.sub(r"^(\w+)=$", lambda found: f"{found[1]}={given.get(found[1], 'x' * 32)}", text, flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Debian's docker-compose is not installed")
def test_debians_docker_compose_accepts_it(tmp_path):
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text(example(POSTGRES_PASSWORD="kept-in-the-file"))
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(["docker-compose", "config"], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert set(services) == {"postgres", "redis", *OURS}
    url = "postgresql://lango:kept-in-the-file@postgres:5432/lango"
    assert {services[name]["environment"]["DATABASE_URL"] for name in OURS} == {url}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Debian's docker-compose is not installed")
def test_without_a_password_it_says_which_variable_is_missing(tmp_path):
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("")
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(["docker-compose", "config"], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stderr


def test_images_are_plain_names():
    images = {service["image"] for service in COMPOSE["services"].values()}
    assert images == {"lango", "postgres:18", "valkey/valkey:9"}
    assert re.findall(r"^FROM (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["python:3.11-slim"]


def test_no_service_of_ours_runs_as_root_or_can_gain_rights():
    assert re.search(r"^USER lango$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for name in OURS:
        service = COMPOSE["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_whatever_serves_waits_for_the_migrations():
    for name in ("web", "streams", "worker", "beat"):
        assert COMPOSE["services"][name]["depends_on"]["migrations"]["condition"] == "service_completed_successfully"


def test_live_events_are_served_as_the_page_says():
    words = " ".join(COMPOSE["services"]["streams"]["command"]).replace("=", " ").replace(" --host 0.0.0.0", "")
    for page in ("README.md", "docs/operations.md"):
        assert f"\n{words}\n" in (ROOT / page).read_text()
    assert " ".join(opening.STREAM_OPTIONS) in words


def test_the_example_holds_no_secret_and_the_files_that_do_are_never_committed_or_copied():
    empty = set(re.findall(r"^(\w+)=$", (ROOT / "environment.example").read_text(), re.MULTILINE))
    assert empty == {"POSTGRES_PASSWORD", "SECRET_KEY", "MASTER_KEYS", "METRICS_TOKEN", "TRUSTED_PROXIES"}
    for ignoring in (".gitignore", ".dockerignore"):
        assert ".env" in (ROOT / ignoring).read_text().splitlines()


def test_a_worker_has_a_thread_for_each_queue_and_some_for_those_that_change_hands():
    command = COMPOSE["services"]["worker"]["command"]
    threads = int(command[command.index("--concurrency") + 1])
    assert threads >= len(work.names()) + 4
    assert threads == opening.WORKER_THREADS
    for page in ("README.md", "docs/operations.md"):
        assert f"--pool threads --concurrency {threads}\n" in (ROOT / page).read_text()
