"""A merchant's own facts on an object: up to 50 pairs of texts."""

from typing import Any

from rest_framework import serializers

MAX_PAIRS, MAX_KEY, MAX_VALUE = 50, 40, 500


class MetadataField(serializers.DictField):
    child = serializers.CharField(max_length=MAX_VALUE, allow_blank=True)

    def __init__(self, **options: Any) -> None:
        options.setdefault("default", dict)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        if isinstance(data, dict):
            self._check(data)
        parsed: dict[Any, Any] = super().to_internal_value(data)
        return parsed

    def _check(self, data: dict[str, Any]) -> None:
        if len(data) > MAX_PAIRS:
            raise serializers.ValidationError(f"has at most {MAX_PAIRS} pairs")
        for name, value in data.items():
            if not name or len(name) > MAX_KEY or "\x00" in name:
                raise serializers.ValidationError(f"a key has 1 to {MAX_KEY} characters, none of them NUL")
            if not isinstance(value, str):
                raise serializers.ValidationError({name: "must be a text"})
