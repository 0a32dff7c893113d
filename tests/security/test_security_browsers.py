"""Browsers: pages of other origins, and what guards the pages of the sandbox."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.network.origins import AllowedOrigins
from ftrack_like.sandbox.schema import MODEL

from .conftest import Form, People, Server, Wire

ORIGIN = "http://localhost:3000"
ROUTES = [
    ("/api", "POST"),
    ("/api", "GET"),
    ("/component/get?id=x", "GET"),
    ("/component/thumbnail?id=x", "GET"),
    ("/component/upload?id=x", "PUT"),
    ("/socket.io/1/", "GET"),
    ("/socket.io/1", "GET"),
    ("/events", "GET"),
]


@pytest.fixture
def open_server(start_server: Callable[..., Server]) -> Server:
    """Return a server that pages of one origin may call."""
    return start_server("--allowed-origins", ORIGIN)


def preflight(url: str, path: str, method: str, origin: str = ORIGIN) -> requests.Response:
    """Return the answer to what a browser asks before a request."""
    return requests.options(
        url + path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "ftrack-user,ftrack-api-key,content-type",
            "Access-Control-Request-Private-Network": "true",
        },
        timeout=30,
    )


def test_pages_of_an_allowed_origin_may_call(open_server: Server) -> None:
    """Preflight requests of an allowed origin are answered for the API, files and events."""
    for path, method in ROUTES:
        answer = preflight(open_server.url, path, method)
        assert (path, answer.status_code) == (path, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert method in answer.headers["Access-Control-Allow-Methods"]
        assert "ftrack-api-key" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
        assert "Origin" in answer.headers["Vary"]


def test_pages_of_an_allowed_origin_may_read(open_server: Server) -> None:
    """Answers, also errors, carry the headers that let a page of an allowed origin read them."""
    headers = {**open_server.headers, "Origin": ORIGIN}
    for path, method in ROUTES:
        answer = requests.request(method, open_server.url + path, headers=headers, timeout=30)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
    refused = requests.get(f"{open_server.url}/api", headers={"Origin": ORIGIN}, timeout=30)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_uploads_from_a_page(open_server: Server) -> None:
    """A page of an allowed origin uploads a file as the published JavaScript client does."""
    component = str(uuid.uuid4())
    operation = {
        "action": "get_upload_metadata",
        "component_id": component,
        "file_name": "x.txt",
        "file_size": 1,
    }
    headers = {**open_server.headers, "Origin": ORIGIN}
    answer = requests.post(f"{open_server.url}/api", json=[operation], headers=headers, timeout=30)
    address = answer.json()[0]["url"]
    path = address[len(open_server.url) :]
    assert preflight(open_server.url, path, "PUT").status_code == 204
    stored = requests.put(address, data=b"x", headers={"Origin": ORIGIN}, timeout=30)
    assert stored.status_code == 200
    assert stored.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3001",
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "http://evil.example",
        "http://localhost:30000",
        "null",
        "http://localhost:3000/",
    ],
)
def test_pages_of_other_origins_may_not(open_server: Server, origin: str) -> None:
    """A page of any other origin is refused before its request, and reads no answer."""
    answer = preflight(open_server.url, "/api", "POST", origin)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    headers = {**open_server.headers, "Origin": origin}
    answer = requests.get(f"{open_server.url}/api", headers=headers, timeout=30)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_no_origin_is_allowed_by_default(sandbox: Any) -> None:
    """Without the option no page of another origin may call, which the answer says."""
    answer = preflight(sandbox.server_url, "/api", "POST")
    assert answer.status_code == 403
    assert "--allowed-origins" in answer.text


def test_pages_with_cookies_are_closed_to_other_origins(open_server: Server) -> None:
    """What knows its visitor by a cookie is never opened to other origins."""
    for path in ("/", "/browse", "/log-in", "/outbox", "/review", "/widget", "/static/base.css"):
        answer = preflight(open_server.url, path, "GET")
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        answer = requests.get(open_server.url + path, headers={"Origin": ORIGIN}, timeout=30)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/apis", "/api/../browse", "/componentx", "/eventsx", "/socket.iox", "/outbox"]
)
def test_only_the_api_is_open(path: str) -> None:
    """Paths that only begin like those of the API are not open."""
    origins = AllowedOrigins(["*"])
    assert origins.is_open("/api/")
    assert not origins.is_open(path)


def test_every_origin_may_be_allowed(start_server: Callable[..., Server]) -> None:
    """An asterisk lets all pages call; each is named in the answer, as cookies demand."""
    server = start_server("--allowed-origins", "*")
    answer = preflight(server.url, "/api", "POST", "https://any.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


# Cookies and forms


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/log-in", "/log-out", "/browse/version/x/note", "/review/note"])
def test_forms_of_other_sites_are_refused(sandbox: Any, path: str, headers: Any) -> None:
    """A form that a page of another site sends is refused."""
    answer = requests.post(
        sandbox.server_url + path,
        data={"username": sandbox.api_user, "key": sandbox.api_key},
        headers=headers,
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_cookies_are_guarded(sandbox: Any, form: Form) -> None:
    """No script reads the cookie, and other sites do not send it along."""
    answer = form.log_in(sandbox.api_user, sandbox.api_key)
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert sandbox.api_key.lower() not in cookie


def test_cookies_behind_tls_stay_there(start_server: Callable[..., Server]) -> None:
    """Behind a trusted proxy with TLS a cookie never travels in the clear."""
    server = start_server("--trusted-proxies", "127.0.0.1")
    form = Form(server.url)
    form.http.headers["X-Forwarded-Proto"] = "https"
    answer = form.log_in(server.user, server.key)
    assert "secure" in answer.headers["Set-Cookie"].lower()
    form.http.close()


def test_forms_need_their_token(sandbox: Any, form: Form) -> None:
    """A form without the token of its page is refused, also with the cookie."""
    form.log_in(sandbox.api_user, sandbox.api_key)
    for token in ("", "x", "eA", "a" * 2000):
        answer = form.http.post(
            f"{sandbox.server_url}/log-out",
            data={"form_token": token},
            allow_redirects=False,
            timeout=30,
        )
        assert answer.status_code == 403
    token = form.token(form.get("/browse").text)
    answer = form.http.post(
        f"{sandbox.server_url}/log-out",
        data={"form_token": token},
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 303


@pytest.mark.parametrize("path", ["/", "/log-in", "/browse", "/outbox", "/review", "/widget"])
def test_pages_say_what_they_load(sandbox: Any, form: Form, path: str) -> None:
    """Pages load nothing from elsewhere, and only widgets show within other pages."""
    form.log_in(sandbox.api_user, sandbox.api_key)
    answer = form.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert ("frame-ancestors 'none'" in policy) == (path != "/widget")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# Uploads


def store(api: Any, name: str, file_type: str, data: bytes) -> str:
    """Return the id of a component with *data* on the server."""
    component = api.create("FileComponent", name=name, file_type=file_type)
    operation = {
        "action": "get_upload_metadata",
        "component_id": component,
        "file_name": name,
        "file_size": len(data),
    }
    address = api.call(operation)[0]["url"]
    requests.put(address, data=data, timeout=30).raise_for_status()
    return str(component)


@pytest.mark.parametrize("file_type", [".html", ".svg", ".js", ".xml", ".pdf", ""])
def test_uploaded_pages_do_nothing(api: Any, sandbox: Any, file_type: str) -> None:
    """A page among the uploads runs no script and is not taken for another kind of file."""
    component = store(api, "page", file_type, b"<script>alert(1)</script>")
    for parameters in ({"id": component}, {"id": component, "range": "1"}):
        answer = api.http.get(f"{api.url}/component/get", params=parameters, timeout=30)
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    ['x"; filename="evil.exe', "x\r\nSet-Cookie: a=b", "../../etc/passwd", "x\u2028y", "ü" * 300],
)
def test_upload_names_are_only_names(api: Any, name: str) -> None:
    """The name of a component cannot add headers to the answer with its data."""
    component = store(api, name, ".txt", b"x")
    answer = api.http.get(f"{api.url}/component/get", params={"id": component}, timeout=30)
    assert answer.content == b"x"
    assert "Set-Cookie" not in answer.headers
    assert re.fullmatch(
        r"inline; filename(=\"[^\"]*\"|\*=utf-8''[\w.%~-]*)", answer.headers["Content-Disposition"]
    )


@pytest.mark.parametrize(
    "component", ["../secret", "..%2fsecret", "/etc/passwd", "a/b", "", "x" * 65, "\0", ".."]
)
def test_ids_lead_out_of_no_folder(api: Any, component: str) -> None:
    """An id of a component is no path."""
    for path in ("/component/get", "/component/thumbnail", "/component/remove"):
        answer = api.http.get(api.url + path, params={"id": component}, timeout=30)
        assert answer.status_code in {200, 400, 404}
        assert (answer.status_code == 200) == (path == "/component/thumbnail")
    operation = {"action": "get_upload_metadata", "file_name": "x", "file_size": 1}
    with pytest.raises(api.Error, match="must be an id"):
        api.call({**operation, "component_id": component})


def test_signatures_cover_everything(api: Any) -> None:
    """An address works as it was signed: changed, shortened or extended, it does not."""
    component = store(api, "x", ".txt", b"x")
    operation = {
        "action": "get_upload_metadata",
        "component_id": component,
        "file_name": "x",
        "file_size": 1,
        "checksum": "nT/5oI9hsvyVWK1hNOY5bw==",
    }
    address = api.call(operation)[0]["url"]
    for old, new in (
        (r"id=[^&]*", "id=other"),
        (r"size=1", "size=2"),
        (r"expires=(\d+)", r"expires=1\1"),
        (r"&checksum=[^&]*", ""),
        (r"signature=(.)", r"signature=\1\1"),
        (r"signature=[^&]*", "signature="),
        (r"$", "&part=1"),
        (r"$", "&upload=x"),
    ):
        changed = re.sub(old, new, address, count=1)
        assert changed != address
        assert requests.put(changed, data=b"x", timeout=30).status_code == 403


# What users see


#: Queries that each look for a private project, shared among the roles. All of them take minutes.
QUERIES = 4662
ASKED = int(os.environ.get("FTRACK_LIKE_TEST_LEAK_QUERIES", "300"))
ROLES = [None, "Restricted user", "User", "API", "Project manager"]


def generated(type_names: list[str], ids: dict[str, str], words: list[str]) -> list[str]:
    """Return queries that try to see entities of a project by all kinds of paths."""
    found = []
    for name in type_names:
        type_ = MODEL.types[name]
        relations = [one.name for one in type_.properties.values() if getattr(one, "target", None)]
        scalars = [one for one in type_.properties if one not in relations]
        found += [f"select {one} from {name}" for one in scalars]
        found += [f"select {one}.id from {name} where {one}.id is_not none" for one in relations]
        found += [f"{name} where {one} is '{id_}'" for one in relations for id_ in ids.values()]
        found += [f"{name} where {one} like '%{words[0]}%'" for one in scalars]
        found += [f"select id from {name} order by {one} desc" for one in scalars[:3]]
        found.append(f"select count(id) from {name} group by id")
    repeated = itertools.islice(itertools.cycle(found), QUERIES)
    return list(repeated)


@pytest.mark.parametrize("role", ROLES)
def test_no_query_leaks_a_private_project(
    api: Any, sandbox: Any, people: People, project: str, role: Any
) -> None:
    """None of the generated queries answers anything of a private project to any role."""
    word = f"hidden{uuid.uuid4().hex}"
    api.update("Project", project, is_private=True, full_name=word)
    task = api.create("Task", name=word, parent_id=project, description=word)
    asset = api.create("Asset", name=word, context_id=project)
    version = api.create("AssetVersion", asset_id=asset, comment=word)
    note = api.create("Note", content=word, parent_id=version)
    component = api.create("FileComponent", name=word, version_id=version)
    review = api.create("ReviewSession", name=word, project_id=project)
    ids = {
        "project": project,
        "task": task,
        "version": version,
        "note": note,
        "component": component,
        "review": review,
    }
    eve = people("eve", *([role] if role else []))
    names = [name for name, one in MODEL.types.items() if one.concrete]
    queries = generated(names, ids, [word])
    assert len(queries) == QUERIES
    user, service = RequestUser(eve.user_id, "eve"), sandbox._api
    random.Random(1).shuffle(queries)
    for query in queries[:ASKED][ROLES.index(role) :: len(ROLES)]:
        body = json.dumps([{"action": "query", "expression": query}]).encode()
        answer = service.answer(body, user, "http://here")
        if answer.status == 200:
            text = answer.body.decode()
            assert not [one for one in (word, *ids.values()) if one in text], query


@pytest.mark.parametrize("type_name", ["Task", "KeyArt"])
def test_events_of_private_projects_stay_private(
    api: Any, people: People, wire: Callable[..., Wire], project: str, type_name: str
) -> None:
    """Updates in a private project are told to nobody who does not see it.

    They stay private also if the studio added the object type.
    """
    api.create("ObjectType", name="Key Art")
    eve = people("eve", "Project manager")
    listener = wire("eve", eve.key)
    listener.subscribe("topic=*")
    api.update("Project", project, is_private=True)
    api.create(type_name, name="secret", parent_id=project)
    api.create(type_name, name="secret too", parent_id=project)
    wire().emit("my.mark")
    heard = []
    while not heard or heard[-1]["topic"] != "my.mark":
        heard.append(listener.hear())
    assert "secret" not in str(heard)
