"""What a key may do: `resource:verb`, registered by each domain."""

_scopes: dict[str, str] = {}


def register(scopes: dict[str, str]) -> None:
    """Scopes with a sentence each; called by AppConfig.ready()."""
    _scopes.update(scopes)


def known() -> dict[str, str]:
    return dict(sorted(_scopes.items()))
