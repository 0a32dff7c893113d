"""Publish a shot list and the frames of a plate, as on a studio's first day with a new show.

The script starts a sandbox of its own, so it needs no server, and shows the way from editorial to a
published version:

1. read the shot list (``shot_list.csv``) and create project, sequences, shots and tasks, with
   types, statuses, assignments, frame ranges and metadata, in one commit;
2. publish the frames in ``plates`` as version 1 of an asset; a plugin tells the session where
   published files live, and the standard structure names the folders;
3. look at the result in a second session, which knows the types from its schema cache and gets
   all it needs with one query;
4. have a clip with sound encoded, and invite somebody to review it (``review_clip.py``); where
   there is no ffmpeg, that is left out.

Run it with ``tox run -e demo``, or with ``python examples/publish_shots.py`` where
``ftrack-like[sandbox,media]`` is installed. ``--keep`` leaves the sandbox running.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import review_clip

import ftrack_like
from ftrack_like.exception import MediaError
from ftrack_like.media import find_ffmpeg
from ftrack_like.testing import Sandbox

HERE = Path(__file__).resolve().parent
DEPARTMENTS = ("layout", "animation", "lighting", "compositing")
PROJECT = "harbour"
FRAMES = "HRB_010_0010.plate.%04d.png [1001-1008]"


class Studio:
    """Opens sessions the way this studio does: its plugins, its disk, one schema cache."""

    def __init__(self, sandbox: Sandbox, folder: Path, is_kept: bool) -> None:
        self.sandbox = sandbox
        #: Whether the sandbox goes on running when the demo has ended.
        self.is_kept = is_kept
        self.review_link = ""
        self.publish_root = folder / "published"
        self.schema_cache = folder / "schemas"

    def session(self) -> ftrack_like.Session:
        """Return a new session."""
        return ftrack_like.Session(
            server_url=self.sandbox.server_url,
            api_user=self.sandbox.api_user,
            api_key=self.sandbox.api_key,
            plugin_paths=[str(HERE / "plugins")],
            plugin_arguments={"publish_root": str(self.publish_root)},
            schema_cache_path=str(self.schema_cache),
        )


class Report:
    """Prints what was done, with the requests and the time that it took."""

    def __init__(self) -> None:
        self.mark(None)

    def mark(self, session: ftrack_like.Session | None) -> None:
        """Begin to count: the requests of *session*, or of one that is still to come."""
        self.started = time.perf_counter()
        self.requests = session.statistics.requests if session else 0

    def step(self, session: ftrack_like.Session, what: str, *details: str) -> None:
        """Print *what* was done since the last mark, and *details* below it."""
        seconds = time.perf_counter() - self.started
        requests = session.statistics.requests - self.requests
        cost = f"{requests} request{'' if requests == 1 else 's'}, {seconds * 1000:.0f} ms"
        print(f"\n{what:<58}{cost:>22}")
        for detail in details:
            print(f"    {detail}")
        self.mark(session)


def read_shot_list(path: Path) -> list[dict[str, str]]:
    """Return the rows of the CSV at *path*, column name → text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_assignment(cell: str) -> tuple[list[str], str]:
    """Return the user names and the status (empty: the usual one) in ``mira+tomas: Approved``."""
    names, _, status = cell.partition(":")
    return [name.strip() for name in names.split("+")], status.strip()


def create_people(session: ftrack_like.Session, rows: list[dict[str, str]]) -> dict[str, Any]:
    """Create the users that *rows* assign work to; return them by name."""
    cells = [row[department] for row in rows for department in DEPARTMENTS if row[department]]
    names = sorted({name for cell in cells for name in read_assignment(cell)[0]})
    return {
        name: session.create("User", {"username": name, "first_name": name.title()})
        for name in names
    }


class Breakdown:
    """Creates the show from the shot list. Nothing is sent before the session commits."""

    def __init__(self, session: ftrack_like.Session, rows: list[dict[str, str]]) -> None:
        self.session = session
        self.people = create_people(session, rows)
        schema = session.query("ProjectSchema order by name").first()
        self.types = {kind["name"]: kind for kind in schema.get_types("Task")}
        self.statuses = {status["name"]: status for status in schema.get_statuses("Task")}
        self.project = session.create(
            "Project",
            {"name": PROJECT, "full_name": "Harbour at Dusk", "project_schema": schema},
        )
        self.project["metadata"]["editorial_cut"] = "reel_1_v012"
        self.sequences: dict[str, Any] = {}
        self.shots: dict[str, Any] = {}
        self.tasks: list[Any] = []
        for row in rows:
            self.add_shot(row)

    def add_shot(self, row: dict[str, str]) -> None:
        """Create the shot of *row* with its tasks, and its sequence when it is the first there."""
        name = row["sequence"]
        if name not in self.sequences:
            data = {"name": name, "parent": self.project}
            self.sequences[name] = self.session.create("Sequence", data)
        shot = self.session.create(
            "Shot",
            {
                "name": row["shot"],
                "parent": self.sequences[name],
                "description": row["description"],
                "custom_attributes": {
                    "fstart": int(row["frame_in"]),
                    "fend": int(row["frame_out"]),
                    "handles": int(row["handles"]),
                },
                "metadata": {"turnover": "editorial", "row": str(len(self.shots) + 1)},
            },
        )
        self.shots[row["shot"]] = shot
        for department in DEPARTMENTS:
            if row[department]:
                self.add_task(shot, department, row[department])

    def add_task(self, shot: Any, department: str, cell: str) -> None:
        """Create the task of *department* in *shot*, assigned as *cell* of the shot list says."""
        names, status = read_assignment(cell)
        task = self.session.create(
            "Task",
            {"name": department, "parent": shot, "type": self.types[department.title()]},
        )
        if status:
            task["status"] = self.statuses[status]
        for name in names:
            data = {"context": task, "resource": self.people[name], "type": "assignment"}
            self.session.create("Appointment", data)
        self.tasks.append(task)


def publish_plate(session: ftrack_like.Session, shot: Any) -> Any:
    """Publish the frames as a new version of the shot's plate; return the component."""
    task = next(task for task in shot["children"] if task["name"] == "lighting")
    asset = session.ensure(
        "Asset",
        {
            "name": "plate",
            "type_id": session.query('AssetType where name is "Plate"').one()["id"],
            "context_id": shot["id"],
        },
        identifying_keys=["name", "context_id"],
    )
    version = session.create(
        "AssetVersion",
        {"asset": asset, "task": task, "comment": "Scanned at 2K, cropped for the demo."},
    )
    session.commit()
    component = version.create_component(
        str(HERE / "plates" / FRAMES), data={"name": "main"}, location="auto"
    )
    component["metadata"]["colourspace"] = "sRGB"
    session.commit()
    return component


def overview(session: ftrack_like.Session) -> list[str]:
    """Return a line for each shot, from one query with everything that the lines show."""
    shots = session.query(
        "select name, description, custom_attributes, children.name, children.status.name, "
        "children.assignments.resource.username "
        f'from Shot where project.name is "{PROJECT}" order by name'
    )
    lines = []
    for shot in shots:
        values = shot["custom_attributes"]
        frames = f"{int(values['fstart'])}-{int(values['fend'])}"
        states = Counter(task["status"]["name"] for task in shot["children"])
        artists = sorted(
            {
                assignment["resource"]["username"]
                for task in shot["children"]
                for assignment in task["assignments"]
            }
        )
        counts = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
        lines.append(f"{shot['name']}  {frames:<10} {', '.join(artists):<30} {counts}")
    return lines


def published_files(session: ftrack_like.Session) -> tuple[str, list[Path]]:
    """Return the published sequence in words, and the paths of its frames on disk."""
    component = session.query(
        "select name, version.version, version.asset.name, version.asset.parent.name, "
        "members.name, members.file_type, component_locations.location.name "
        f'from SequenceComponent where version.asset.parent.project.name is "{PROJECT}"'
    ).one()
    location = session.pick_location(component)
    version = component["version"]
    words = (
        f"{version['asset']['parent']['name']} / {version['asset']['name']} "
        f"v{version['version']:03} / {component['name']} in {location['name']}"
    )
    return words, sorted(Path(path) for path in location.get_filesystem_paths(component["members"]))


def run(studio: Studio) -> None:
    """Do it all, and print what was done."""
    report = Report()
    with studio.session() as session:
        report.step(session, "A session, with the schemas of the server", *where(studio))
        rows = read_shot_list(HERE / "shot_list.csv")
        show = Breakdown(session, rows)
        pending = len(session.recorded_operations)
        report.step(session, f"Read {len(rows)} rows of shot_list.csv", f"{pending} operations")
        session.commit()
        report.step(
            session,
            f"Created {show.project['full_name']!r} in one commit",
            f"{len(show.sequences)} sequences, {len(show.shots)} shots, {len(show.tasks)} tasks, "
            f"{len(show.people)} artists",
        )
        component = publish_plate(session, show.shots["HRB_010_0010"])
        report.step(
            session,
            f"Published {len(component['members'])} frames of HRB_010_0010",
            f"below {studio.publish_root}",
        )
    report.mark(None)
    with studio.session() as session:
        report.step(session, "A second session, from the warm schema cache")
        report.step(
            session, "Shots with frames, artists and the state of tasks", *overview(session)
        )
        words, paths = published_files(session)
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise SystemExit(f"Not on disk: {missing}")
        report.step(session, "What was published", words, f"{paths[0]}", f"… {paths[-1].name}")


def where(studio: Studio) -> list[str]:
    """Return the address of the sandbox, if a reader can still open it when the demo has ended."""
    return [studio.sandbox.server_url] if studio.is_kept else []


def run_review(studio: Studio, folder: Path) -> None:
    """Have a clip encoded and reviewed, and print what was done; *folder* is for files."""
    try:
        program = find_ffmpeg()
    except MediaError as error:
        print(f"\nNo clip is encoded and reviewed: {error}")
        return
    clip = folder / "animation.mov"
    review_clip.make_clip(program, clip)
    report = Report()
    with studio.session() as session:
        shot = session.query("Shot where name is HRB_010_0010").one()
        version = review_clip.create_version(session, shot)
        job = review_clip.encode(version, clip)
        size = f"{clip.stat().st_size / 1e6:.1f} MB"
        report.step(
            session, "Encoded a clip on the server", f"{size} uploaded, the job is {job['status']}"
        )
        movie = review_clip.download(session, job, folder)
        report.step(session, f"Downloaded {movie.name}", review_clip.check_playable(program, movie))
        link = review_clip.invite(session, review_clip.create_review(session, version))
        # The link leads nowhere when the sandbox has stopped.
        report.step(
            session,
            f"Invited {review_clip.INVITEE['name']} to a review",
            *([link] if studio.is_kept else [f"the link went to {review_clip.INVITEE['email']}"]),
        )
        studio.review_link = link


def leave_running(studio: Studio, folder: Path) -> None:
    """Run the sandbox in *folder* on in a process of its own, and say where."""
    sandbox = studio.sandbox
    port = sandbox.server_url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--data", str(folder / "sandbox")]
    command += ["--port", port, "--user", sandbox.api_user, "--key", sandbox.api_key, "--json"]
    with open(folder / "sandbox.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    assert process.stdout is not None
    known = json.loads(process.stdout.readline())
    review = f"The review, without a log-in: {studio.review_link}\n" if studio.review_link else ""
    print(
        "\nThe sandbox goes on running. For programs:\n"
        f"    export FTRACK_SERVER={known['server_url']}\n"
        f"    export FTRACK_API_USER={known['api_user']}\n"
        f"    export FTRACK_API_KEY={known['api_key']}\n"
        f"Its data and the published files are in {folder}\n"
        f"End it with: kill {process.pid}\n"
        f"{review}"
        f"Log in as {known['api_user']} with the API key {known['api_key']}\n"
        f"Open {known['server_url']}/browse"
    )


def main() -> None:
    """Read the command line, start the sandbox, run."""
    parser = argparse.ArgumentParser(description="publish a shot list to a sandbox")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running")
    options = parser.parse_args()
    if options.keep:
        folder = Path(tempfile.mkdtemp(prefix="ftrack-like-demo-"))
        with Sandbox(folder / "sandbox") as sandbox:
            studio = Studio(sandbox, folder, is_kept=True)
            run(studio)
            run_review(studio, folder)
        leave_running(studio, folder)
    else:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sandbox = stack.enter_context(Sandbox(folder / "sandbox"))
            studio = Studio(sandbox, folder, is_kept=False)
            run(studio)
            run_review(studio, folder)
        print(
            "\nThe sandbox and its files are gone again. Run the demo with --keep to look at them "
            "in a browser."
        )


if __name__ == "__main__":
    main()
