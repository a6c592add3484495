"""What a key may do."""

import re

from django.urls import URLPattern, get_resolver

from merchants import scopes


def views():
    def walk(patterns):
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
            else:
                yield from walk(pattern.url_patterns)

    return [
        view for view in walk(get_resolver().url_patterns) if hasattr(view, "scopes") and view.authentication_classes
    ]


def test_scopes_are_resources_and_verbs_with_a_sentence_each():
    assert {"payments:read", "payments:write", "refunds:write", "events:read"} <= set(scopes.known())
    assert list(scopes.known()) == sorted(scopes.known())
    for scope, sentence in scopes.known().items():
        assert re.fullmatch(r"[a-z_]+:(read|write|approve)", scope)
        assert sentence


def test_every_method_of_every_view_needs_a_registered_scope():
    assert len(views()) >= 10
    for view in views():
        offered = {method.upper() for method in ("get", "post", "patch", "put", "delete") if hasattr(view, method)}
        assert offered == set(view.scopes), view
        assert set(view.scopes.values()) <= set(scopes.known()), view
        for method, scope in view.scopes.items():
            assert scope.endswith(":read") is (method == "GET"), view
