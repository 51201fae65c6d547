"""Values that the model can read, and values that it cannot."""

from __future__ import annotations

import base64

import pytest

from rerank.service.proxy.search.hit_texts import HitTexts
from rerank.service.proxy.search.prose import is_prose


@pytest.mark.parametrize(
    "value",
    ["Tea", "Fix a flat tyre with a patch.", "Il caffè è amaro", "緑茶は葉から作られる", "Windows 11 setup", "чай"],
)
def test_text_is_prose(value: str) -> None:
    assert is_prose(value)


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(bytes(range(256)) * 4).decode(),
        "550e8400-e29b-41d4-a716-446655440000",
        "https://example.org/a/b",
        "someone@example.org",
        "SKU-12345",
        "2024-01-01 17",
        "user_id",
        "",
    ],
)
def test_data_is_not_prose(value: str) -> None:
    assert not is_prose(value)


def test_fields_without_prose_are_left_out_unless_the_client_chose_them() -> None:
    """One base64 field would fill the input of the model."""
    hits = [{"fields": {"body": ["Green tea"], "blob": ["QUJD" * 100], "mixed": [value]}} for value in ("Tea", "x1")]
    names = ("blob", "body", "mixed", "absent")
    chosen, guessed = HitTexts(names, (), ()), HitTexts(names, (), (), prose_only=True)
    assert guessed.prose_names(hits) == ("body", "mixed")
    assert guessed.texts_of(hits) == ["Green tea Tea", "Green tea x1"]
    assert chosen.prose_names(hits) == names
