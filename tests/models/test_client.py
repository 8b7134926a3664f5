"""Requests to endpoints: what is wrong is named, a key never is, and all forms of answers are read."""

import asyncio
import base64
import json

import pytest

from helpers.openai_server import OpenAIServer
from helpers.scoring_pools import KEY
from qdit.models.client import (
    HIDDEN,
    SYSTEM,
    ChatClient,
    EndpointError,
    RequestError,
    check_url,
    hide,
    read_key,
)


def test_keys_come_from_the_environment_and_errors_do_not_repeat_them():
    assert read_key("X", {"X": "k"}) == "k"
    assert read_key("X", {"X": " \n"}) is None
    assert read_key("X", {"X": " k\r\n"}) == "k"
    for wrong in ("sk-é", "sk-1\nsk-2"):
        with pytest.raises(ValueError, match="a line break or a letter outside ASCII") as caught:
            read_key("X", {"X": wrong})
        assert "sk" not in str(caught.value)
    with pytest.raises(ValueError, match="never the key itself") as caught:
        read_key(KEY, {})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["http://me:pw@host/v1", "https://host/v1?key=pw", "https://host/#pw"])
def test_urls_carry_no_secrets(url):
    with pytest.raises(ValueError, match="base_url: wanted a URL without") as caught:
        check_url(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8000/v1", "ftp://host", "", "http://a host/v1", "http://host:port/v1"),
        *("http://host:99999/v1", "http://[::1/v1"),
    ],
)
def test_wrong_urls(url):
    with pytest.raises(ValueError, match=r"base_url: .*wanted one such as http://localhost:8000/v1"):
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


def ask(server, *requests, **options):
    """Return the client, and what it made of each request."""
    pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")
    client = ChatClient(server.url, KEY, **{"retries": 0, "timeout": 5.0} | options)

    async def run():
        async with client:
            return await asyncio.gather(*map(client.ask, requests), return_exceptions=True)

    return client, asyncio.run(run())


def request(**fields):
    return {"model": "m", "messages": [{"role": "user", "content": "a b"}]} | fields


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({}, "4", "stop"),
        ({"message": {"content": "4"}, "finish_reason": None}, "4", None),
        (
            {"message": {"content": [{"type": "text", "text": "4"}, {"type": "text", "text": "!"}]}},
            "4!",
            "stop",
        ),
        ({"message": {"content": [{"type": "thinking", "thinking": []}, "4"]}}, "4", "stop"),
        ({"message": {"content": [{"type": "reasoning", "text": "5"}]}}, "", "stop"),
        ({"message": {"content": "4", "reasoning_content": "5"}}, "4", "stop"),
        (
            {"message": {"content": None, "reasoning_content": "5"}, "finish_reason": "length"},
            "<think>5",
            "length",
        ),
        ({"message": {"content": "\n", "reasoning": "5"}}, "<think>5", "stop"),
        ({"message": {"content": None, "refusal": "I may not."}}, "I may not.", "stop"),
        ({"message": {"content": None}, "finish_reason": "content_filter"}, "", "content_filter"),
    ],
)
def test_forms_of_answers(choice, text, finish):
    with OpenAIServer([choice], answer=lambda _: "4") as server:
        _, (answer,) = ask(server, request())
    assert answer == (text, finish, 2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"message": None},
        {"message": {"content": {"text": "4"}}},
        {"message": {"content": [{"type": "text"}]}},
        {"message": {"content": [{"type": "text", "text": None}]}},
        {"status": 400, "message": {"max_tokens": ["no"]}, "param": ["max_tokens"], "code": 5},
        {"status": 422, "message": None},
    ],
)
def test_odd_replies_are_failures_of_one_request(fault):
    with OpenAIServer([fault]) as server:
        _, (found,) = ask(server, request(max_tokens=9))
    assert isinstance(found, RequestError)


def test_counts_and_reasons_of_no_known_kind(monkeypatch):
    """The answer is paid for: it is kept."""
    from helpers import openai_server

    made = openai_server._chat

    def odd(*arguments):
        return made(*arguments) | {"usage": {"prompt_tokens": None, "completion_tokens": "2"}}

    monkeypatch.setattr(openai_server, "_chat", odd)
    with OpenAIServer([{"finish_reason": ["stop"]}], answer=lambda _: "4") as server:
        assert ask(server, request())[1] == [("4", None, 0, 0)]


def refuse(*names, **error):
    """Return what refuses a request with a field of such a name, as OpenAI does."""

    def fault(one):
        name = next((name for name in names if name in one.body), None)
        said = f"Unsupported parameter: {name!r} is not supported with this model. Use 'prompt' instead."
        return None if name is None else {"status": 400, "message": said, "param": name, **error}

    return fault


def test_a_refused_limit_goes_by_its_other_name_from_then_on():
    for given, other in (("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")):
        with OpenAIServer(refuse(given, param=None), answer=lambda _: "4") as server:
            client, answers = ask(server, *[request(**{given: 9})] * 3)
            assert [answer.text for answer in answers] == ["4"] * 3
            assert client.renamed == {given: other}
            assert [other in one.body for one in server.requests].count(True) == 3
            assert server.requests[-1].body[other] == 9


def test_optional_fields_are_left_out_where_they_are_refused():
    with OpenAIServer(refuse("max_tokens", "temperature"), answer=lambda _: "4") as server:
        client, (answer,) = ask(server, request(max_tokens=9, temperature=0), optional=["temperature"])
    assert answer.text == "4"
    assert client.renamed == {"max_tokens": "max_completion_tokens", "temperature": None}


@pytest.mark.parametrize("said", ["System role not supported", "Conversation roles must alternate user/..."])
def test_what_the_system_says_goes_before_the_question_where_there_is_no_such_role(said):
    def fault(one):
        return {"status": 400, "message": said} if one.body["messages"][0]["role"] == "system" else None

    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    with OpenAIServer(fault, answer=lambda _: "4") as server:
        client, (answer,) = ask(server, request(messages=messages))
        assert server.requests[-1].body["messages"] == [{"role": "user", "content": "Be brief.\n\nHi"}]
    assert answer.text == "4"
    assert client.renamed == {SYSTEM: None}


@pytest.mark.parametrize(
    ("fields", "error", "kind", "told"),
    [
        (
            {"top_k": 1},
            refuse("top_k"),
            EndpointError,
            r"pass judge_params=\{'top_k': None\} \(--judge-params '\{\"top_k\": null\}'\)",
        ),
        ({"extra_body": {"top_k": 1}}, refuse("top_k", param=None), EndpointError, r'\{"top_k": null\}'),
        (
            {"max_tokens": 9},
            refuse("max_tokens", "max_completion_tokens"),
            EndpointError,
            r'\{"max_tokens": null',
        ),
        (
            {},
            {"status": 400, "message": "invalid model", "param": "model"},
            EndpointError,
            "name of the model",
        ),
        ({}, {"status": 400, "message": "Incorrect API key provided"}, EndpointError, "key_env"),
        ({}, {"status": 401, "message": "no"}, EndpointError, "key_env"),
        ({}, {"status": 402, "message": "Insufficient Balance"}, EndpointError, "add credit"),
        ({}, {"status": 429, "message": "no", "code": "insufficient_quota"}, EndpointError, "add credit"),
        ({}, {"status": 403, "message": "Your input was flagged"}, RequestError, "flagged$"),
        ({}, {"status": 400, "message": "x", "code": "content_filter"}, RequestError, "HTTP 400: x$"),
        (
            {"max_tokens": 9},
            {
                "status": 400,
                "message": "max_tokens is unsupported: the context length is 8",
            },
            RequestError,
            "context length",
        ),
        ({}, {"status": 400, "message": "no such luck"}, RequestError, "HTTP 400: no such luck$"),
    ],
)
def test_what_a_refusal_is_about(fields, error, kind, told):
    with OpenAIServer(error if callable(error) else [error]) as server:
        _, (found,) = ask(server, request(**fields), params_option="judge_params")
    with pytest.raises(kind, match=told):
        raise found


def test_what_worked_before_is_not_refused():
    """A field that one request may have is not what is wrong with another."""
    pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")
    error = {"status": 400, "message": "Unsupported parameter: 'top_k'", "param": "top_k"}
    with OpenAIServer([None, error]) as server:
        client = ChatClient(server.url, KEY, retries=0, timeout=5.0)

        async def run():
            async with client:
                for _ in range(2):
                    await client.ask(request(top_k=1))

        with pytest.raises(RequestError, match="HTTP 400"):
            asyncio.run(run())


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY"])
def test_a_proxy_that_cannot_be_used(monkeypatch, variable):
    pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")
    monkeypatch.setenv(variable, "nonsense://x")
    with pytest.raises(EndpointError, match=f"check base_url, and .*{variable}"):
        ChatClient("http://localhost:1/v1", KEY, retries=0, timeout=5.0)


def test_an_error_inside_a_reply_is_told():
    with OpenAIServer([{"status": 200, "message": "upstream is down"}]) as server:
        _, (found,) = ask(server, request())
    assert isinstance(found, RequestError)
    assert "the reply is an error: {'status': 200, 'message': 'upstream is down'}" in str(found)
