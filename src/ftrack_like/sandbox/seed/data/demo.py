"""The data of the demo project, a short film in production."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = [
    "ARTISTS",
    "ASSET_BUILDS",
    "BUILD_TASKS",
    "GROUPS",
    "PROJECT_FULL_NAME",
    "PROJECT_NAME",
    "SEQUENCES",
    "SHOT_TASKS",
    "Artist",
    "Shot",
]

PROJECT_NAME = "lighthouse"
PROJECT_FULL_NAME = "The Lighthouse Keeper"


class Artist(NamedTuple):
    """A user of the project, who works on tasks of *task_type*."""

    username: str
    first_name: str
    last_name: str
    group: str
    task_type: str


class Shot(NamedTuple):
    """A shot with its first and last frame.

    *reached* is the type of the task in progress. Earlier tasks are done, later ones not started.
    """

    name: str
    first_frame: int
    last_frame: int
    reached: str
    description: str


GROUPS = ("Animation department", "Lighting department", "Production department")

ARTISTS = (
    Artist("ada.berg", "Ada", "Berg", "Animation department", "Layout"),
    Artist("bo.lind", "Bo", "Lind", "Animation department", "Animation"),
    Artist("cleo.marsh", "Cleo", "Marsh", "Lighting department", "Lighting"),
    Artist("dan.osei", "Dan", "Osei", "Lighting department", "Compositing"),
    Artist("eva.roth", "Eva", "Roth", "Production department", "Production"),
)

#: The types of the tasks of a shot, in the order of the work.
SHOT_TASKS = ("Layout", "Animation", "Lighting", "Compositing")

#: The types of the tasks of an asset build.
BUILD_TASKS = ("Modeling", "Texture", "Lookdev")

SEQUENCES: Mapping[str, tuple[Shot, ...]] = {
    "010_storm": (
        Shot("010_0010", 1001, 1096, "Compositing", "Waves break over the rocks."),
        Shot("010_0020", 1001, 1048, "Lighting", "The lamp goes out."),
        Shot("010_0030", 1001, 1120, "Animation", "The keeper runs up the stairs."),
    ),
    "020_morning": (
        Shot("020_0010", 1001, 1144, "Lighting", "Gulls above a calm sea."),
        Shot("020_0020", 1001, 1072, "Layout", "The keeper finds the bottle."),
    ),
}

#: The types of the asset builds by name.
ASSET_BUILDS: Mapping[str, str] = {
    "keeper": "Character",
    "lighthouse": "Environment",
    "lamp": "Prop",
}
