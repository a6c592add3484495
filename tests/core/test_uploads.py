"""Files come in from staff alone, and only up to a size."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

CONTENT = b"Receipt,Paid in\n" * 100


def posted(user):
    request = RequestFactory().post("/", {"name": "x", "file": SimpleUploadedFile("a.csv", CONTENT)})
    request.user = user
    return request


def test_staffs_files_are_taken_in():
    request = posted(User(username="amina", is_staff=True))
    with request.FILES["file"] as file:
        assert file.read() == CONTENT
    assert request.POST["name"] == "x"


@pytest.mark.parametrize("user", [AnonymousUser(), User(username="bo"), User(is_staff=True, is_active=False)])
def test_nobody_elses_body_is_read(user):
    request = posted(user)
    assert (dict(request.FILES), dict(request.POST)) == ({}, {})


def test_a_file_that_is_too_large_is_not_kept_and_its_form_is_told_so(settings):
    settings.STATEMENT_MAX_BYTES = 1000
    request = posted(User(username="amina", is_staff=True))
    assert dict(request.FILES) == {}
    assert request.POST["name"] == "x"
    assert request.refused_file == "It is larger than 0.0 MB. Upload it in parts."
