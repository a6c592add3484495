"""The API's errors as RFC 9457 problem details."""

import re

from core import errors


def test_codes_are_unique_snake_case_words_and_statuses_are_errors():
    tree = errors.every_error()
    codes = [kind.code for kind in tree]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z_]+", code) for code in codes)
    assert all(400 <= kind.status <= 503 and kind.title for kind in tree)


def test_the_tree_is_whole():
    assert {errors.ApiError, errors.PromptOpen, errors.ProviderBusy, errors.RefundExceedsCaptured} <= set(
        errors.every_error()
    )


def test_a_problem_says_what_where_and_which_request():
    error = errors.InvalidRequest("no", param="/amount", errors=[errors.FieldError("/amount", "no", "min_value")])
    assert error.problem(request_id="R1", documentation="https://a.example/docs/errors/") == {
        "type": "https://a.example/docs/errors/invalid_request",
        "title": "The request is not valid",
        "status": 400,
        "detail": "no",
        "code": "invalid_request",
        "param": "/amount",
        "request_id": "R1",
        "errors": [{"param": "/amount", "code": "min_value", "detail": "no"}],
    }


def test_a_problem_without_field_errors_lists_none():
    assert "errors" not in errors.NotFound("gone").problem(request_id="", documentation="")
    assert str(errors.NotFound("gone")) == "not_found: gone"
