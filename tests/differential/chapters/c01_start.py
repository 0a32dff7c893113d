"""Starting sessions: what they know, what they refuse, what plugins see."""

from __future__ import annotations

import os
import textwrap
from typing import Any

from book import Stage, step


@step()
def what_a_session_knows(stage: Stage) -> Any:
    """The public values of a new session."""
    session = stage.session
    return {
        "server_url": session.server_url,
        "api_user": session.api_user,
        "closed": session.closed,
        "auto_populate": session.auto_populate,
        "record_operations": session.record_operations,
        "request_timeout": session.request_timeout,
        "connected": session.event_hub.connected,
        "information": sorted(session.server_information),
    }


@step()
def entity_types(stage: Stage) -> Any:
    """The entity types that were built from the schemas."""
    return sorted(stage.session.types)


@step()
def entity_type_attributes(stage: Stage) -> Any:
    """The kinds, flags and defaults of the attributes of every type."""
    return {
        name: [
            (item.name, type(item).__name__, item.mutable, item.computed, item.default_value)
            for item in sorted(entity_type.attributes, key=lambda item: item.name)
        ]
        for name, entity_type in stage.session.types.items()
    }


@step()
def default_projections(stage: Stage) -> Any:
    """The keys and default projections of every type."""
    return {
        name: [entity_type.primary_key_attributes, sorted(entity_type.default_projections)]
        for name, entity_type in stage.session.types.items()
    }


@step()
def mixins_of_entity_types(stage: Stage) -> Any:
    """The public methods that entity classes gain from the standard factory."""
    methods = ["create_note", "create_thumbnail", "get_statuses", "start_timer"]
    methods += ["create_component", "add_component", "create_reply", "get_availability"]
    types = ["Project", "Shot", "Task", "AssetVersion", "Note", "User", "Location", "Asset"]
    types += ["FileComponent", "SequenceComponent", "ProjectSchema", "Job"]
    built = stage.session.types
    return {name: [method for method in methods if hasattr(built[name], method)] for name in types}


@step()
def no_server(stage: Stage) -> Any:
    """A session without an address."""
    return stage.api.Session(api_key="key", api_user="user")


@step()
def no_key(stage: Stage) -> Any:
    """A session without a key."""
    return stage.api.Session(server_url=stage.server["server_url"], api_user="user")


@step()
def wrong_key(stage: Stage) -> Any:
    """A session with a key that the server does not know."""
    return stage.new_session(api_key="wrong")


@step()
def wrong_user(stage: Stage) -> Any:
    """A session for a user that the server does not know."""
    return stage.new_session(api_user="nobody")


@step()
def nothing_listens(stage: Stage) -> Any:
    """A session on a port where nothing answers."""
    return stage.new_session(server_url="http://127.0.0.1:9")


@step()
def address_without_scheme(stage: Stage) -> Any:
    """A session with an address that has no scheme."""
    return stage.new_session(server_url=stage.server["server_url"].replace("http://", ""))


@step()
def address_with_trailing_slash(stage: Stage) -> Any:
    """An address that ends in a slash."""
    return stage.new_session(server_url=stage.server["server_url"] + "/").server_url


@step()
def settings_from_the_environment(stage: Stage) -> Any:
    """Address, user and key come from environment variables."""
    variables = {
        "FTRACK_SERVER": stage.server["server_url"],
        "FTRACK_API_USER": stage.server["api_user"],
        "FTRACK_API_KEY": stage.server["api_key"],
    }
    os.environ.update(variables)
    try:
        session = stage.api.Session(auto_connect_event_hub=False)
    finally:
        for name in variables:
            del os.environ[name]
    stage.sessions.append(session)
    return [session.server_url, session.api_user, session.api_key == stage.server["api_key"]]


@step()
def context_manager(stage: Stage) -> Any:
    """A session used as a context manager is closed afterwards."""
    with stage.new_session() as session:
        inside = session.closed
    return [inside, session.closed]


@step()
def call_after_close(stage: Stage) -> Any:
    """A closed session refuses to ask the server."""
    session = stage.new_session()
    session.close()
    return session.query("User").first()


@step()
def close_twice(stage: Stage) -> Any:
    """Closing a closed session is fine."""
    session = stage.new_session()
    session.close()
    session.close()
    return session.closed


@step()
def headers_and_cookies(stage: Stage) -> Any:
    """A session takes headers and cookies for its requests."""
    session = stage.new_session(headers={"x-studio": "harbour"}, cookies={"token": "biscuit"})
    return session.query("User").first()["username"]


@step()
def strict_api(stage: Stage) -> Any:
    """A strict session raises the server's errors just so."""
    return stage.new_session(strict_api=True).call([{"action": "no_such_action"}])


@step()
def plugin_is_registered(stage: Stage) -> Any:
    """A plugin's register function is called with the session and with the arguments it takes."""
    stage.file(
        "plugins/studio.py",
        textwrap.dedent(
            """
            def register(session, studio=None):
                session.studio = studio
            """
        ),
    )
    session = stage.new_session(
        plugin_paths=[str(stage.folder / "c01_start" / "plugins")],
        plugin_arguments={"studio": "north", "unknown": 1},
    )
    return session.studio


@step()
def broken_plugin_is_left_out(stage: Stage) -> Any:
    """A plugin that cannot be loaded, and one without register, do not stop the others."""
    stage.file("mixed/a_broken.py", "import no_such_module_anywhere\n")
    stage.file("mixed/b_silent.py", "value = 1\n")
    stage.file("mixed/deep/c_fine.py", "def register(session):\n    session.fine = True\n")
    session = stage.new_session(plugin_paths=[str(stage.folder / "c01_start" / "mixed")])
    return session.fine


@step()
def events_of_the_start(stage: Stage) -> Any:
    """A plugin that subscribes hears of entity types, of locations and at last of ready."""
    stage.file(
        "listeners/listen.py",
        textwrap.dedent(
            """
            def register(session):
                session.heard = []
                def hear(event):
                    session.heard.append(event["topic"])
                session.event_hub.subscribe("topic=ftrack.api.session.*", hear)
            """
        ),
    )
    session = stage.new_session(plugin_paths=[str(stage.folder / "c01_start" / "listeners")])
    heard = session.heard
    return {"topics": sorted(set(heard)), "last": heard[-1], "types": len(heard) > 50}


@step(14, "an error in one register does not keep the session from starting")
def plugin_raises_in_register(stage: Stage) -> Any:
    """A plugin whose register function raises."""
    stage.file("raising/raise.py", "def register(session):\n    raise RuntimeError('no')\n")
    path = str(stage.folder / "c01_start" / "raising")
    return stage.new_session(plugin_paths=[path]).closed


@step()
def built_in_locations(stage: Stage) -> Any:
    """The locations that every session configures."""
    session = stage.session
    names = ["ftrack.origin", "ftrack.unmanaged", "ftrack.review", "ftrack.server"]
    locations = [session.query(f'Location where name is "{name}"').one() for name in names]
    return [
        [
            location["name"],
            location["id"],
            location.priority,
            type(location.accessor).__name__,
            type(location.structure).__name__,
        ]
        for location in locations
    ]


@step()
def new_attributes_on_a_session(stage: Stage) -> Any:
    """Scripts may keep things on a session."""
    stage.session.studio_settings = {"root": "/mnt"}
    return stage.session.studio_settings
