"""The mark that binds a folder for files to the site in a PostgreSQL database."""

from __future__ import annotations

import os
import pathlib
from contextlib import closing
from typing import Any

import pytest

from ftrack_like.sandbox.media import shared_folder
from ftrack_like.sandbox.media.shared_folder import MARK, WrongFolderError, check_folder
from ftrack_like.sandbox.site_data import SiteData

POSTGRES = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(POSTGRES is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server"),
]


def test_two_sites_cannot_share_a_folder(namespace: Any, tmp_path: pathlib.Path) -> None:
    """A new site refuses a folder with a mark, and says how to use it if that is right."""
    with namespace(POSTGRES) as first_url, namespace(POSTGRES) as second_url:
        with closing(SiteData(url=first_url)) as first, closing(SiteData(url=second_url)) as second:
            check_folder(first.open(), tmp_path)
            check_folder(first.attach(first.administrator), tmp_path)
            database = second.open()
            with pytest.raises(WrongFolderError) as caught:
                check_folder(database, tmp_path)
            for words in ("another site", "--media PATH", f"remove the file {tmp_path / MARK}"):
                assert words in str(caught.value)
            (tmp_path / MARK).unlink()
            check_folder(database, tmp_path)
            with pytest.raises(WrongFolderError, match="the mark of another site"):
                check_folder(first.attach(first.administrator), tmp_path)


def test_an_interrupted_first_start_is_completed(
    namespace: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ended before it marked the folder leaves that to the next one."""

    def fail(folder: pathlib.Path, mark: str) -> str:
        raise OSError(5, "Input/output error")

    with namespace(POSTGRES) as url, closing(SiteData(url=url)) as site:
        database = site.open()
        with monkeypatch.context() as patch:
            patch.setattr(shared_folder, "_make_mark", fail)
            with pytest.raises(WrongFolderError, match="Input/output error"):
                check_folder(database, tmp_path)
        assert not (tmp_path / MARK).exists()
        check_folder(database, tmp_path)
        assert (tmp_path / MARK).exists()
        (tmp_path / MARK).unlink()
        with pytest.raises(WrongFolderError, match="is not marked"):
            check_folder(database, tmp_path)
