"""What a run says to whoever watches it."""


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201  (a command line's own output)
