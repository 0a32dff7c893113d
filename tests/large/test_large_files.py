"""Two gigabytes up and down: in little memory, without copies, about as fast as curl.

Not part of the usual run: ``tox run -e large``. ``FTRACK_LIKE_TEST_GIGABYTES`` says the size.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
if not os.environ.get("FTRACK_LIKE_TEST_GIGABYTES"):
    pytest.skip("takes minutes and disk space: tox run -e large", allow_module_level=True)
if not pathlib.Path("/proc/self/status").exists():
    pytest.skip("reads peak memory from /proc", allow_module_level=True)

SIZE = int(float(os.environ["FTRACK_LIKE_TEST_GIGABYTES"]) * 2**30)
MEBIBYTE = 2**20

#: The most memory that the client may need, with its libraries, in MiB.
MOST_MEMORY = 64
#: The most memory of the server for the transfers, in MiB, beyond its memory at the start, and in
#: all: its libraries take 60 MiB.
MOST_GROWTH = 10
MOST_SERVER_MEMORY = 70

#: Uploads the file, downloads it through a location on disk, and prints what that took.
CLIENT = """
import json, sys, time
import ftrack_like
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.structure.id import IdStructure
from ftrack_like import symbol

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

path, folder, url, user, key = sys.argv[1:]
with ftrack_like.Session(
    server_url=url, api_user=user, api_key=key, schema_cache_path=False, plugin_paths=[]
) as session:
    idle = peak()
    component = session.create_component(path, location=None)
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    origin = session.get("Location", symbol.ORIGIN_LOCATION_ID)
    told = []
    begun = time.perf_counter()
    server.add_component(component, origin, progress=lambda *news: told.append(news))
    up = time.perf_counter() - begun
    assert told[-1][0] == told[-1][1]
    after_upload = peak()
    disk = session.create("Location", {"name": "disk"})
    disk.accessor, disk.structure = DiskAccessor(folder), IdStructure()
    begun = time.perf_counter()
    disk.add_component(component, server)
    down = time.perf_counter() - begun
    print(json.dumps({
        "id": component["id"], "idle": idle, "after_upload": after_upload, "peak": peak(),
        "up": up, "down": down, "path": disk.get_filesystem_path(component),
        "signed": session.get_upload_metadata(component["id"], "x", %d),
    }))
"""


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Return address, credentials and process number of a sandbox of its own."""
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path / "sandbox")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield {**json.loads(process.stdout.readline()), "pid": process.pid}
    finally:
        process.terminate()
        process.wait(20)


def peak(pid: int) -> float:
    """Return the most memory that the process *pid* ever held, in MiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if "VmHWM" in line) / 1024


def seconds_of_curl(*arguments: str) -> float:
    """Return how long curl takes for *arguments*."""
    begun = time.perf_counter()
    subprocess.run(["curl", "--silent", "--show-error", "--fail", *arguments], check=True)
    return time.perf_counter() - begun


def test_two_gigabytes(server: dict[str, Any], tmp_path: pathlib.Path, capsys: Any) -> None:
    """A sparse file goes up and comes back, and neither side holds or copies it."""
    source = tmp_path / "source.bin"
    with source.open("wb") as file:
        file.truncate(SIZE)
        for position in range(0, SIZE, 256 * MEBIBYTE):
            file.seek(position)
            file.write(b"not only zeros")
    idle = peak(server["pid"])
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    result = subprocess.run(
        [
            *(sys.executable, "-c", CLIENT % SIZE, str(source), str(tmp_path / "disk")),
            *(server["server_url"], server["api_user"], server["api_key"]),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    found = json.loads(result.stdout)
    server_peak = peak(server["pid"])
    lines = [
        f"{SIZE / 2**30:.1f} GiB",
        f"client: idle {found['idle']:.0f} MiB, after upload {found['after_upload']:.0f} MiB, "
        f"peak {found['peak']:.0f} MiB",
        f"server: idle {idle:.0f} MiB, peak {server_peak:.0f} MiB",
        f"upload   {SIZE / MEBIBYTE / found['up']:5.0f} MiB/s",
        f"download {SIZE / MEBIBYTE / found['down']:5.0f} MiB/s",
    ]
    assert os.path.getsize(found["path"]) == SIZE
    assert subprocess.run(["cmp", source, found["path"]], check=False).returncode == 0
    os.remove(found["path"])
    if shutil.which("curl"):
        lines += curl_figures(server, source, found, tmp_path)
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert list(temporary.iterdir()) == []
    assert found["peak"] <= MOST_MEMORY
    assert server_peak - idle <= MOST_GROWTH
    assert server_peak <= MOST_SERVER_MEMORY


def curl_figures(
    server: dict[str, Any], source: pathlib.Path, found: dict[str, Any], folder: pathlib.Path
) -> list[str]:
    """Return lines about the same with plain curl: one connection, nothing compared."""
    target = folder / "by-curl"
    address = f"{server['server_url']}/component/get?id={found['id']}"
    headers = []
    for name, value in (("user", server["api_user"]), ("api-key", server["api_key"])):
        headers += ["--header", f"ftrack-{name}: {value}"]
    down = seconds_of_curl(*headers, "--output", str(target), address)
    target.unlink()
    signed = found["signed"]
    sent = [part for pair in signed["headers"].items() for part in ("--header", ": ".join(pair))]
    up = seconds_of_curl(*sent, "--upload-file", str(source), signed["url"])
    return [
        f"curl upload   {SIZE / MEBIBYTE / up:5.0f} MiB/s",
        f"curl download {SIZE / MEBIBYTE / down:5.0f} MiB/s",
    ]
