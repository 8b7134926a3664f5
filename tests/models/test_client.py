"""Keys and addresses of endpoints: what is wrong is named, a key never is."""

import base64
import json

import pytest

from helpers.scoring_pools import KEY
from qdit.models.client import HIDDEN, check_url, hide, read_key


def test_keys_come_from_the_environment_and_errors_do_not_repeat_them():
    assert read_key("X", {"X": "k"}) == "k"
    assert read_key("X", {"X": ""}) is None
    with pytest.raises(ValueError, match="never the key itself") as caught:
        read_key(KEY, {})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["http://me:pw@host/v1", "https://host/v1?key=pw", "https://host/#pw"])
def test_urls_carry_no_secrets(url):
    with pytest.raises(ValueError, match="base_url: wanted a URL without") as caught:
        check_url(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host", ""])
def test_wrong_urls(url):
    with pytest.raises(ValueError, match="base_url: got"):
        check_url(url)


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D"),
        json.dumps(KEY)[1:-1],
        KEY.replace("/", "\\/"),
    ],
)
def test_keys_are_hidden(form):
    assert hide(f"a {form} b", KEY) == f"a {HIDDEN} b"
    assert hide(base64.b64encode(KEY.encode()).decode(), KEY) == HIDDEN


def test_short_keys_are_no_secrets():
    assert hide("none of it", "none") == "none of it"
    assert hide("none of it", None) == "none of it"
