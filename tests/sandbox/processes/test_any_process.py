"""Any process of a sandbox answers any request."""

from __future__ import annotations

import os
import re
import uuid
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from starlette.requests import Request
from starlette.responses import Response
from tests.sandbox.processes.asking import ASK, POSTGRESQL, call, creation, new_key, query, results
from tests.sandbox_processes import ProcessSandbox

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.web.note_changes import answer_if_changed
from ftrack_like.sandbox.web.pages import Asked

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(os.name != "posix", reason="several processes need POSIX"),
    pytest.mark.skipif(not POSTGRESQL, reason="needs FTRACK_LIKE_TEST_POSTGRES_URL"),
]


def test_each_process_answers_at_the_same_port(pair: ProcessSandbox) -> None:
    """While one of two processes stands still, the other one answers, and the reverse."""
    one, other = pair.worker_ids
    for worker in (one, other):
        with pair.only(worker):
            assert results(call(pair, *ASK))


def test_key_is_valid_and_invalid_on_all_processes_at_once(pair: ProcessSandbox) -> None:
    """A user and key that one process makes work on the other; the revoked key stops there."""
    one, other = pair.worker_ids
    user = creation("User", username=f"u-{uuid.uuid4().hex[:8]}")
    name, id_ = user["entity_data"]["username"], user["entity_data"]["id"]
    renewal = new_key(id_)
    with pair.only(one):
        first = results(call(pair, user, _permission(pair, id_), renewal))[-1]["data"]["api_key"]
    with pair.only(other):
        assert results(call(pair, *ASK, user=name, key=first))
        second = results(call(pair, renewal))[0]["data"]["api_key"]
    with pair.only(one):
        assert call(pair, *ASK, user=name, key=first).status_code == 401
        assert results(call(pair, *ASK, user=name, key=second))


def _permission(sandbox: Any, user_id: str) -> dict[str, Any]:
    """Return the operation that makes the user an administrator."""
    found = results(
        call(sandbox, query('select id from SecurityRole where name is "Administrator"'))
    )
    role_id = found[0]["data"][0]["id"]
    return creation("UserSecurityRole", user_id=user_id, security_role_id=role_id)


def test_log_in_of_a_page_is_valid_on_all_processes(pair: ProcessSandbox) -> None:
    """The cookie of a log-in, and the token of its forms, are accepted by the other process."""
    one, other = pair.worker_ids
    form = {"username": pair.api_user, "key": pair.api_key, "next": "/browse"}
    with pair.only(one):
        answer = requests.post(
            f"{pair.server_url}/log-in", data=form, allow_redirects=False, timeout=60
        )
    assert answer.cookies
    cookies = dict(answer.cookies)
    with pair.only(other):
        page = requests.get(
            f"{pair.server_url}/browse", cookies=cookies, allow_redirects=False, timeout=60
        )
        assert page.status_code == 200
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert token is not None
    with pair.only(one):
        left = requests.post(
            f"{pair.server_url}/log-out",
            data={"form_token": token[1]},
            cookies=cookies,
            allow_redirects=False,
            timeout=60,
        )
    assert left.status_code in (302, 303), left.text


def test_signed_addresses_and_parts_are_valid_on_all_processes(pair: ProcessSandbox) -> None:
    """Parts that were sent to different processes become one file, which both deliver."""
    one, other = pair.worker_ids
    parts = [os.urandom(70_000), os.urandom(70_000), b"the end"]
    whole = b"".join(parts)
    component = creation("FileComponent", name="clip", file_type=".bin", size=len(whole))
    id_ = component["entity_data"]["id"]
    upload = {
        "action": "get_upload_metadata",
        "component_id": id_,
        "file_name": "clip.bin",
        "file_size": len(whole),
        "parts": len(parts),
    }
    with pair.only(one):
        metadata = results(call(pair, component, upload))[-1]
    addresses = [part["signed_url"] for part in metadata["urls"]]
    tags = []
    for worker, address, part in zip((one, other, one), addresses, parts):
        with pair.only(worker):
            answer = requests.put(address, data=part, timeout=60)
        assert answer.status_code == 200, answer.text
        tags.append(answer.headers["ETag"])
    ending = {
        "action": "complete_multipart_upload",
        "upload_id": metadata["upload_id"],
        "component_id": id_,
        "parts": [{"part_number": n, "e_tag": tag} for n, tag in enumerate(tags, 1)],
    }
    with pair.only(other):
        assert results(call(pair, ending))
    for worker in (one, other):
        with pair.only(worker):
            got = requests.get(
                f"{pair.server_url}/component/get",
                params={"id": id_, "username": pair.api_user, "apiKey": pair.api_key},
                timeout=60,
            )
        assert got.content == whole


def test_new_custom_attribute_and_object_type_are_known_everywhere(pair: ProcessSandbox) -> None:
    """The schema follows on all processes when one adds an attribute or a type of objects."""
    one, other = pair.worker_ids
    key, type_name = f"k{uuid.uuid4().hex[:8]}", f"Kind{uuid.uuid4().hex[:6]}"
    with pair.only(other):
        before = results(call(pair, {"action": "query_schemas"}))[0]
        assert type_name not in {one["id"] for one in before}
    with pair.only(one):
        types = results(
            call(pair, query('select id from CustomAttributeType where name is "text"'))
        )
        attribute = creation(
            "CustomAttributeConfiguration",
            key=key,
            label=key,
            entity_type="show",
            type_id=types[0]["data"][0]["id"],
            default="from the other process",
            config="{}",
        )
        results(call(pair, attribute, creation("ObjectType", name=type_name)))
    with pair.only(other):
        after = results(call(pair, {"action": "query_schemas"}))[0]
        assert type_name in {one["id"] for one in after}
        found = results(
            call(
                pair,
                query(f'select default from CustomAttributeConfiguration where key is "{key}"'),
            )
        )
        assert found[0]["data"][0]["default"] == "from the other process"


def test_wrong_keys_count_on_all_processes(pair: ProcessSandbox) -> None:
    """Wrong keys on several processes add up to the limit; a client that worked goes on."""
    one, other = pair.worker_ids
    user = creation("User", username=f"u-{uuid.uuid4().hex[:8]}")
    name, id_ = user["entity_data"]["username"], user["entity_data"]["id"]
    with pair.only(one):
        right = results(call(pair, user, _permission(pair, id_), new_key(id_)))[-1]["data"]
        assert results(call(pair, *ASK, user=name, key=right["api_key"]))
    for worker in (one, other):
        with pair.only(worker):
            statuses = [call(pair, *ASK, user=name, key="no").status_code for _ in range(10)]
            assert statuses == [401] * 10
    for worker in (one, other):
        with pair.only(worker):
            refused = call(pair, *ASK, user=name, key="no")
            assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
            assert results(call(pair, *ASK, user=name, key=right["api_key"]))


def test_list_of_notes_is_sent_again_after_a_change_by_another_process(
    pair: ProcessSandbox,
) -> None:
    """A browser's copy of a list counts as current only until any process changes the data."""
    shown = ["before"]
    api = SimpleNamespace(database=Database(pair.database))

    def ask(tag: str) -> Response:
        headers = [(b"if-none-match", tag.encode())]
        request = Request({"type": "http", "query_string": b"", "headers": headers, "path": "/"})
        asked = Asked(request, cast(Api, api))
        return answer_if_changed(asked, lambda: Response(shown[0]))

    first = ask("")
    assert (first.status_code, first.body) == (200, b"before")
    assert ask(first.headers["ETag"]).status_code == 304
    results(call(pair, creation("Group", name="a change")))
    shown[0] = "after"
    again = ask(first.headers["ETag"])
    assert (again.status_code, again.body) == (200, b"after")
    api.database.close()


def test_reset_by_another_process_is_noticed(pair: ProcessSandbox) -> None:
    """After a reset of the database, all processes serve the data of the new site."""
    results(call(pair, creation("Group", name="gone")))
    pair.reset()
    for worker in pair.worker_ids:
        with pair.only(worker):
            assert results(call(pair, query('select id from Group where name is "gone"'))) == [
                {"action": "query", "data": [], "metadata": {"next": {"offset": None}}}
            ]
