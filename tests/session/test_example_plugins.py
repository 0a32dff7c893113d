"""The example plugins in plugins/ do what their headers say."""

from __future__ import annotations

import logging
import pathlib
import shutil

import pytest

from ftrack_like import plugin

PLUGINS = pathlib.Path(__file__).parents[2] / "plugins"


@pytest.fixture
def open_with(sandbox, tmp_path):
    """Open a session that loads one example plugin."""
    opened = []

    def open_session(name, **options):
        folder = tmp_path / "plugins"
        folder.mkdir()
        shutil.copy(PLUGINS / name, folder)
        opened.append(sandbox.session(plugin_paths=[str(folder)], **options))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("*.py")), ids=lambda path: path.name)
def test_header_says_what_a_plugin_shows(path):
    """Each example begins with what it shows and how to use it."""
    header = path.read_text(encoding="utf-8").split('"""')[1]
    assert "It shows " in header
    assert "FTRACK_EVENT_PLUGIN_PATH" in header


def test_configure_locations(open_with, tmp_path, monkeypatch):
    """What is published goes to the studio's storage by the standard structure."""
    monkeypatch.setenv("STUDIO_STORAGE", str(tmp_path / "storage"))
    session = open_with("configure_locations.py")
    location = session.pick_location()
    assert location["name"] == "studio.main-storage"
    assert location.accessor.prefix == str(tmp_path / "storage")
    schema = session.query("ProjectSchema").first()
    project = session.create(
        "Project", {"name": "film", "full_name": "Film", "project_schema": schema}
    )
    asset = session.create("Asset", {"name": "edit", "parent": project})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    (tmp_path / "cut.mov").write_bytes(b"frames")
    component = version.create_component(str(tmp_path / "cut.mov"), location="auto")
    expected = tmp_path / "storage" / "film" / "project_files" / "edit" / "v001" / "main.mov"
    assert location.get_filesystem_path(component) == str(expected)
    assert expected.read_bytes() == b"frames"


def test_construct_entity_type(open_with):
    """Tasks have the methods of the plugin, and its argument counts."""
    session = open_with("construct_entity_type.py", plugin_arguments={"hours_in_a_day": 6})
    schema = session.query("ProjectSchema").first()
    project = session.create(
        "Project", {"name": "film", "full_name": "Film", "project_schema": schema}
    )
    task = session.create("Task", {"name": "light", "parent": project, "bid": 12 * 3600})
    user = session.query(f'User where username is "{session.api_user}"').one()
    session.commit()
    assert task.bid_in_days == 2
    assert not task.is_assigned_to(user)
    session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    session.commit()
    session.reset()
    task = session.get("Task", task["id"])
    assert task.is_assigned_to(user)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cache.BGEO.SC", ".bgeo.sc"), ("files.tar.gz", ".tar.gz"), ("image.exr", ".exr")],
)
def test_get_file_type(open_with, tmp_path, name, expected):
    """Types of two parts are known, the others are left to the session."""
    session = open_with("get_file_type.py")
    component = session.create_component(str(tmp_path / name), location=None)
    assert component["file_type"] == expected


def test_other_programs_may_load_the_plugins(caplog):
    """Registering with something else than a session does nothing, without a complaint."""
    caplog.set_level(logging.DEBUG)
    plugin.discover([str(PLUGINS)], [object()])
    assert [each for each in caplog.records if each.name != "ftrack_like.plugins"] == []
