"""A studio program: plates from a client are taken in, folder by folder.

Finds the sequences in a delivery, makes the shots that are missing, leaves each plate where it
lies, skips what came before and what has odd names, tells what was done as a job,
and tidies up what a cancelled delivery left.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from book import Stage, step

PATTERN = re.compile(r"(?P<sequence>[a-z]+)_(?P<shot>\d+)_(?P<kind>\w+)\.\d+\.\w+")


def deliver(stage: Stage, name: str, plates: dict[str, int]) -> Path:
    """Return the folder of a delivery that holds *plates*: the number of frames by name."""
    for plate, count in plates.items():
        for frame in range(1, count + 1):
            path = stage.file(f"{name}/{plate}.{frame:04}.dpx", f"{plate}{frame}")
    return Path(path).parent


def sequences(folder: Path) -> dict[str, list[int]]:
    """Return the frames of the sequences in *folder* by name."""
    found: dict[str, list[int]] = {}
    for path in sorted(folder.iterdir()):
        stem, frame, _ = path.name.rsplit(".", 2)
        found.setdefault(stem, []).append(int(frame))
    return found


class Ingest:
    """Takes deliveries in, with one commit for each plate."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.session = stage.new_session()
        self.project = self.session.get("Project", stage.project["id"])
        self.origin = self.session.query('Location where name is "ftrack.origin"').one()
        self.log: list[str] = []

    def shot(self, sequence_name: str, number: str) -> Any:
        """Return the shot, made with its sequence if that is missing."""
        session = self.session
        data = {"name": sequence_name, "parent_id": self.project["id"]}
        sequence = session.query(
            f'Sequence where name is "{sequence_name}" and parent_id is "{self.project["id"]}"'
        ).first() or session.create("Sequence", {**data, "project_id": self.project["id"]})
        name = f"{sequence_name}_{int(number):03}"
        for child in sequence["children"]:
            if child["name"] == name:
                return child
        return session.create("Shot", {"name": name, "parent": sequence})

    def plate(self, folder: Path, stem: str, frames: list[int]) -> None:
        """Take one plate in."""
        match = PATTERN.match(f"{stem}.0001.dpx")
        if match is None:
            self.log.append(f"odd name: {stem}")
            return
        shot = self.shot(match["sequence"], match["shot"])
        kind = self.session.query("AssetType order by name").first()
        known = [asset for asset in shot["assets"] if asset["name"] == match["kind"]]
        if known and any(
            version["metadata"].get("delivery") == folder.name for version in known[0]["versions"]
        ):
            self.log.append(f"known: {stem}")
            return
        asset = known[0] if known else None
        if asset is None:
            data = {"name": match["kind"], "type": kind, "parent": shot}
            asset = self.session.create("Asset", data)
        version = self.session.create(
            "AssetVersion", {"asset": asset, "metadata": {"delivery": folder.name}}
        )
        self.session.commit()
        expression = f"{folder / stem}.%04d.dpx [{frames[0]}-{frames[-1]}]"
        if len(frames) < frames[-1] - frames[0] + 1:
            listed = ", ".join(map(str, frames))
            expression = f"{folder / stem}.%04d.dpx [{listed}]"
        component = version.create_component(expression, data={"name": "plate"}, location="auto")
        component["metadata"]["frames"] = json.dumps(frames)
        self.session.commit()
        self.log.append(f"in: {shot['name']} {asset['name']} v{version['version']:03}")

    def run(self, folder: Path) -> list[str]:
        """Take everything in *folder* in and return what was done."""
        for stem, frames in sequences(folder).items():
            self.plate(folder, stem, frames)
        return self.log


@step(asks="A")
def first_delivery(stage: Stage) -> Any:
    """Everything is new, and one name is odd."""
    folder = deliver(stage, "monday", {"har_010_bg": 3, "har_020_bg": 2, "isl_005_bg": 1, "odd": 1})
    log = Ingest(stage).run(folder)
    session = stage.new_session()
    shots = session.query(f'Shot where project_id is "{stage.project["id"]}" order by name')
    return [log, [[shot["name"], shot["parent"]["name"]] for shot in shots]]


@step(asks="A")
def second_delivery(stage: Stage) -> Any:
    """What came before is known, the rest becomes another version; frames are missing."""
    monday = stage.folder / "c23_ingest" / "monday"
    again = Ingest(stage).run(monday)
    folder = deliver(stage, "tuesday", {"har_010_bg": 5, "har_010_fg": 2})
    (folder / "har_010_bg.0003.dpx").unlink()
    log = Ingest(stage).run(folder)
    found = stage.new_session().query(
        "select name, padding, size, members.name, metadata from SequenceComponent "
        'where name is "plate" and version.asset.name is "bg" order by version.date, size'
    )
    components = [
        [item["padding"], item["size"], sorted(member["name"] for member in item["members"])]
        for item in found
    ]
    return [again, log, sorted(components, key=str)]


@step(asks="A")
def where_plates_are(stage: Stage) -> Any:
    """The paths of a plate by way of the location where it lies."""
    session = stage.new_session()
    plates = session.query('SequenceComponent where name is "plate" order by size').all()
    locations = session.pick_locations(plates)
    return [
        [location["name"], location.get_filesystem_path(plate)]
        for location, plate in zip(locations, plates)
    ]


@step()
def report_as_a_job(stage: Stage) -> Any:
    """What was done is kept as a job's data and as its file."""
    session = stage.session
    me = session.query(f'User where username is "{session.api_user}"').one()
    data = {"description": "Ingest of monday — 3 plates"}
    job = session.create(
        "Job", {"user": me, "status": "running", "data": json.dumps(data), "type": "api_job"}
    )
    session.commit()
    job["status"] = "done"
    job["finished_at"] = None
    session.commit()
    found = stage.new_session().query(f'Job where id is "{job["id"]}"').one()
    return [found["status"], json.loads(found["data"]), found["finished_at"], found["type"]]


@step()
def cancelled_delivery(stage: Stage) -> Any:
    """What a delivery made is deleted version by version, empty assets with them."""
    session = stage.new_session()
    versions = session.query(
        'AssetVersion where metadata any (key is "delivery" and value is "tuesday")'
    ).all()
    names = sorted(version["asset"]["name"] for version in versions)
    for version in versions:
        asset = version["asset"]
        session.delete(version)
        if len(asset["versions"]) == 1:
            session.delete(asset)
    pending = [len(session.deleted), len(session.recorded_operations)]
    session.commit()
    left = stage.new_session().query(f'Asset where parent.project_id is "{stage.project["id"]}"')
    return [names, pending, sorted(asset["name"] for asset in left)]
