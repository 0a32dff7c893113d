"""The centralised storage scenario: one disk location for a studio, configured on the server.

The server's settings contain the mount point of the storage on each platform. A session that starts
configures the location from these settings. Administrators edit the settings in a dialogue. The
server shows its pages, and this module answers each step.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, cast

from ftrack_like._base.storage_scenarios import CENTRALIZED
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.exception import LocationError
from ftrack_like.logging import LazyLogMessage as L
from ftrack_like.structure.standard import StandardStructure
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = [
    "ActivateCentralizedStorageScenario",
    "ConfigureCentralizedStorageScenario",
    "register",
    "register_configuration",
    "scenario_name",
]

#: The name of the scenario in the server's settings and in events.
scenario_name = CENTRALIZED

#: The location of the scenario has precedence over all other locations.
_PRIORITY = 1

#: The platforms: name in the settings, name for people, and an example.
_PLATFORMS = (
    ("linux", "Linux", "/mnt/storage"),
    ("osx", "OS X", "/Volumes/storage"),
    ("windows", "Windows", r"\\server\storage"),
)

_CREATE = "create_new_location"

#: Locations that every server has; they cannot be the storage of a studio.
_BUILT_IN = frozenset(
    {"ftrack.origin", "ftrack.unmanaged", "ftrack.review", "ftrack.connect", "ftrack.server"}
)

_NEW_LOCATION = {
    "location_label": "Studio location",
    "location_name": "studio.central-storage-location",
    "location_description": "The storage of the studio, where all components are kept.",
}


def _platform() -> str:
    """Return the name of the current platform in the settings."""
    if sys.platform in {"win32", "cygwin"}:
        return "windows"
    return "osx" if sys.platform == "darwin" else "linux"


class ConfigureCentralizedStorageScenario:
    """The dialogue in which an administrator configures the scenario.

    This object does not keep the state of a dialogue. Each event and each answer carries the state
    under ``configuration``, as ``{name of a step: values given in it}``.
    """

    def __init__(self) -> None:
        """Initialise without a session; :meth:`register` sets it."""
        self.logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self.session: Session

    @property
    def storage_scenario(self) -> Entity:
        """Return the entity of the server's setting."""
        return self.session.query(
            'select value from Setting where name is "storage_scenario" and group is "STORAGE"'
        ).one()

    @property
    def existing_centralized_storage_configuration(self) -> Optional[dict[str, Any]]:
        """Return the configuration on the server; None if it has another scenario.

        ``{"location_id", "location_name", "accessor": {"mount_points": {platform: path}}}``
        """
        try:
            configuration = json.loads(self.storage_scenario["value"])
        except (TypeError, ValueError):
            return None
        if not isinstance(configuration, dict) or configuration.get("scenario") != scenario_name:
            return None
        data: Optional[dict[str, Any]] = configuration.get("data")
        return data

    def register(self, session: Session) -> None:
        """Answer the events of the dialogue for the user of *session*."""
        self.session = session
        user = session.api_user.replace('"', '\\"')
        session.event_hub.subscribe(
            f'topic=ftrack.storage-scenario.discover and source.user.username="{user}"',
            self.discover_centralized_scenario,
        )
        session.event_hub.subscribe(
            f'topic=ftrack.storage-scenario.configure and data.scenario_id="{scenario_name}" '
            f'and source.user.username="{user}"',
            self.configure_scenario,
        )

    def discover_centralized_scenario(self, event: Event) -> dict[str, str]:
        """Return the entry of the scenario in a list of all scenarios."""
        return {
            "id": scenario_name,
            "name": "Centralized storage scenario",
            "description": (
                "(Recommended) All files are on one storage, which is mounted on every computer "
                "of the studio."
            ),
        }

    def configure_scenario(self, event: Event) -> dict[str, Any]:
        """Return the next page of the dialogue for the values in *event*.

        ``{"items": [form item, …], "state": "configuring" | "confirm" | "done"}``. Raise
        :exc:`ValueError` if the values belong to an unknown step.
        """
        values = dict(event["data"].get("values") or {})
        configuration = _as_mapping(values.pop("configuration", None))
        step = values.get("step")
        if step is None:
            return self._ask_location(configuration)
        if step not in self._STEPS:
            raise ValueError(f"The storage dialogue has no step {step!r}.")
        configuration[step] = values
        page: dict[str, Any] = self._STEPS[step](self, configuration)
        return page

    # The steps: each checks the given values and returns the next page

    def _after_location(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Return the page after a location was chosen."""
        if configuration["select_location"].get("location_id") == _CREATE:
            return self._ask_new_location(configuration)
        if self._selected(configuration) is None:
            return self._ask_location(
                configuration, "There is no such location. Choose one from the list, or create one."
            )
        return self._ask_mount_points(configuration)

    def _after_new_location(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Return the page after a new location was described."""
        values = configuration["configure_location"]
        if not all(values.get(name) for name in _NEW_LOCATION):
            return self._ask_new_location(
                configuration, "The location needs a name, a label and a description."
            )
        name = values["location_name"].replace("\\", "\\\\").replace('"', '\\"')
        if self.session.query(f'select id from Location where name is "{name}"').first():
            return self._ask_new_location(
                configuration,
                f"A location is called {values['location_name']} already. Choose another name.",
            )
        return self._ask_mount_points(configuration)

    def _after_mount_points(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Return the page with the summary."""
        return _page("confirm", "confirm_summary", configuration, _label(self._sum(configuration)))

    def _after_confirmation(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Save the settings and return the last page."""
        location = self._selected(configuration)
        if location is None and configuration["select_location"].get("location_id") != _CREATE:
            return self._ask_location(configuration, "The location has been removed.")
        self._save(location, configuration)
        return _page(
            "done",
            "save_configuration",
            configuration,
            _label("#Done#\nThe storage is configured. **Restart running programs to use it.**"),
        )

    def _selected(self, configuration: Mapping[str, Any]) -> Optional[Location]:
        """Return the existing location that was chosen, None if there is none."""
        location_id = str(configuration["select_location"].get("location_id"))
        location_id = location_id.replace("\\", "\\\\").replace('"', '\\"')
        found = self.session.query(
            f'select id, name, label from Location where id is "{location_id}"'
        ).first()
        return cast("Optional[Location]", found)

    def _save(self, location: Optional[Entity], configuration: Mapping[str, Any]) -> None:
        """Write the settings for *location* in one commit; create the location if it is None."""
        setting = self.storage_scenario
        if location is None:
            new = configuration["configure_location"]
            location = self.session.create(
                "Location",
                {name: new[f"location_{name}"] for name in ("name", "label", "description")},
            )
        given = configuration["select_mount_point"]
        paths = {key: given.get(f"{key}_mount_point", "") for key, _, _ in _PLATFORMS}
        settings: dict[str, Any] = {f"location_{name}": location[name] for name in ("id", "name")}
        settings["accessor"] = {"mount_points": paths}
        setting["value"] = json.dumps({"scenario": scenario_name, "data": settings})
        self.session.commit()
        self.session.event_hub.publish(
            Event(topic="ftrack.storage-scenario.configure-done"), on_error="ignore"
        )

    # The pages

    def _ask_location(self, configuration: dict[str, Any], error: str = "") -> dict[str, Any]:
        """Return the page for choosing a location."""
        existing = self.existing_centralized_storage_configuration
        text = "#Location#\nChoose the location for the storage, or create one."
        if existing:
            text += (
                "\n\n**Warning: if you choose another location, files in the current location are "
                "no longer found.**"
            )
        choices = [{"label": "Create new location", "value": _CREATE}]
        for location in self.session.query("select name, label, description from Location"):
            if location["name"] not in _BUILT_IN:
                choices.append(
                    {
                        "label": f"{location['label']} ({location['name']})",
                        "value": location["id"],
                        "description": location["description"],
                    }
                )
        value = existing.get("location_id") if existing else None
        if len(choices) == 1:
            value = _CREATE
        question = {
            "type": "enumerator",
            "label": "Location",
            "name": "location_id",
            "value": value,
            "data": choices,
        }
        return _page(
            "configuring",
            "select_location",
            configuration,
            *_error_items(error),
            _label(text),
            question,
        )

    def _ask_new_location(self, configuration: dict[str, Any], error: str = "") -> dict[str, Any]:
        """Return the page for describing a new location."""
        given = {**_NEW_LOCATION, **configuration.get("configure_location", {})}
        questions = [
            {"type": "text", "label": label, "name": name, "value": given[name]}
            for label, name in (
                ("Label", "location_label"),
                ("Name", "location_name"),
                ("Description", "location_description"),
            )
        ]
        return _page(
            "configuring",
            "configure_location",
            configuration,
            *_error_items(error),
            _label(
                "#New location#\nDescribe the location for the storage. You can keep the "
                "suggested values."
            ),
            *questions,
        )

    def _ask_mount_points(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """Return the page for entering the mount points."""
        existing = self.existing_centralized_storage_configuration or {}
        known = existing.get("accessor", {}).get("mount_points", {})
        questions = [
            {
                "type": "text",
                "label": label,
                "name": f"{key}_mount_point",
                "value": known.get(key, ""),
                "empty_text": f"Such as {example}",
            }
            for key, label, example in _PLATFORMS
        ]
        return _page(
            "configuring",
            "select_mount_point",
            configuration,
            _label(
                "#Mount points#\nWhere is the storage mounted on each platform? On a platform "
                "without a mount point, files are neither saved nor found."
            ),
            *questions,
        )

    def _sum(self, configuration: Mapping[str, Any]) -> str:
        """Return a summary of the settings that will be saved."""
        lines = [
            "#Summary#",
            "These settings will be saved. You can change them later.",
            "##Location##",
        ]
        new = configuration.get("configure_location")
        if configuration["select_location"].get("location_id") == _CREATE and new:
            lines.append("A location is created:\n")
            lines += [f"* {name.capitalize()}: {new[f'location_{name}']}" for name in _SHOWN]
        else:
            location = self._selected(configuration)
            lines.append(f"The existing location {location['label'] if location else '?'}.")
        lines.append("\n##Mount points##\n")
        given = configuration["select_mount_point"]
        paths = {label: given.get(f"{key}_mount_point") for key, label, _ in _PLATFORMS}
        lines += [f"* {label}: {path or '*Not set*'}" for label, path in paths.items()]
        missing = [label for label, path in paths.items() if not path]
        if missing:
            lines.append(f"\nThe location will not work on {' and '.join(missing)}.")
        return "\n".join(lines)

    _STEPS = {
        "select_location": _after_location,
        "configure_location": _after_new_location,
        "select_mount_point": _after_mount_points,
        "confirm_summary": _after_confirmation,
    }


_SHOWN = ("label", "name", "description")


def _as_mapping(value: Value) -> dict[str, Any]:
    """Return *value*, a mapping, its JSON text or None, as a new mapping."""
    if isinstance(value, str):
        value = json.loads(value) if value else {}
    return dict(value or {})


def _label(text: str) -> dict[str, Any]:
    """Return the form item that shows *text*."""
    return {"type": "label", "value": text}


def _error_items(text: str) -> list[dict[str, Any]]:
    """Return the form items that show the error *text*; an empty list if it is empty."""
    return [_label(f"**{text}**")] if text else []


def _page(
    state: str, step: str, configuration: Mapping[str, Any], *items: dict[str, Any]
) -> dict[str, Any]:
    """Return a page of the dialogue: *items*, and hidden items with the state of the dialogue."""
    hidden = [
        {"type": "hidden", "name": "configuration", "value": dict(configuration)},
        {"type": "hidden", "name": "step", "value": step},
    ]
    return {"items": [*items, *hidden], "state": state}


class ActivateCentralizedStorageScenario:
    """Configures the location of the scenario when a session starts."""

    def __init__(self) -> None:
        """Initialise without a session; :meth:`register` sets it."""
        self.logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self.session: Session

    def register(self, session: Session) -> None:
        """Activate the scenario in *session* if the server is configured for it."""
        self.session = session
        condition = f'data.storage_scenario.scenario="{scenario_name}"'
        session.event_hub.subscribe(
            f"topic=ftrack.storage-scenario.activate and {condition}", self.activate
        )
        session.event_hub.subscribe(
            f"topic=ftrack.connect.verify-startup and {condition}", self._verify_startup
        )

    def activate(self, event: Event) -> None:
        """Configure the location that the scenario in *event* describes.

        On a platform without a mount point, log a warning and leave the location inaccessible.
        Raise :exc:`~ftrack_like.exception.LocationError` if the scenario is invalid.
        """
        scenario = event["data"]["storage_scenario"]
        try:
            data = scenario["data"]
            identity = {"name": data["location_name"], "id": data["location_id"]}
            mount_point = data["accessor"]["mount_points"].get(_platform())
        except (AttributeError, KeyError, TypeError) as error:
            raise LocationError(
                "The storage scenario of the server cannot be understood: {error!r}.",
                details={"error": error},
            ) from error
        made = self.session.create("Location", data=identity, reconstructing=True)
        location = cast("Location", made)
        location.structure = StandardStructure()
        location.priority = _PRIORITY
        if not mount_point:
            self.logger.warning(
                L("The storage scenario has no mount point for {0}: {1}", _platform(), location)
            )
            return
        location.accessor = DiskAccessor(prefix=mount_point)
        self.logger.info(L("Storage scenario activated: {0} at {1}", location, mount_point))

    def _verify_startup(self, event: Event) -> Optional[str]:
        """Return the problem with the mounted storage as text, None if there is none."""
        data = event["data"]["storage_scenario"].get("data") or {}
        mount_point = data.get("accessor", {}).get("mount_points", {}).get(_platform())
        if not mount_point:
            return (
                "The storage scenario has no mount point for this platform: files may not be "
                "stored or found. An administrator can set it."
            )
        if not os.path.isdir(mount_point):
            return (
                f"The folder {mount_point} does not exist: files may not be stored or found.\n\n"
                "Create it if the storage is new, or check that the network drive is mounted."
            )
        return None


def register(session: Session) -> None:
    """Activate the scenario in *session* if the server is configured for it."""
    ActivateCentralizedStorageScenario().register(session)


def register_configuration(session: Session) -> None:
    """Allow the user of *session* to configure the scenario in the server's dialogue."""
    ConfigureCentralizedStorageScenario().register(session)
