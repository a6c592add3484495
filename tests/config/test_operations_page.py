"""docs/operations.md lists what there is: settings, queues and reasons for attention, no more and no fewer."""

import ast
import re
from pathlib import Path

from events import work
from events.models import Attention

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


def first_column(title):
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE)


def read_from_the_environment():
    for node in ast.walk(ast.parse((ROOT / "config" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called == "_required" or called.startswith("env."):
                yield node.args[0].value


def test_every_setting_is_listed_once():
    assert sorted(first_column("Settings")) == sorted(set(read_from_the_environment()))


def test_every_queue_is_listed():
    assert sorted(first_column("Queues")) == sorted(work.names())


def test_every_reason_for_attention_says_what_to_do():
    assert first_column("Attention") == list(Attention.Reason.values)


def test_a_deployments_example_names_only_settings_that_exist():
    example = (ROOT / "environment.example").read_text()
    named = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert named - set(read_from_the_environment()) == {"POSTGRES_PASSWORD"}
