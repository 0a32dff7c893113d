"""Movies of odd kinds: what is told of the result is what counting the result shows.

A run takes some cases. ``FTRACK_LIKE_TEST_ODD_MEDIA=all`` takes all of them, which takes minutes.
"""

from __future__ import annotations

import os
import pathlib

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from tests.media.checking import check, numbers_of
from tests.media.measuring import measured
from tests.media.odd_media import CODECS, SINE, Case, cases, damage, damaged, make

from ftrack_like._base.errors import MediaError
from ftrack_like._media.pipeline import Pipeline, Source
from ftrack_like._media.programs import LocalPrograms

pytestmark = pytest.mark.ffmpeg

#: Cases of each kind that have gone wrong, or are most likely to.
SOME = (
    Case("a.mov", rate="24000/1001", sounds=("sine=duration=3",)),
    Case("a.mov", frames=1, sounds=("sine=duration=2",)),
    Case("a.webm", rate="30000/1001", codec=CODECS["vp8"], piped=True),
    Case("a.h264", rate="24000/1001"),
    Case("a.mkv", rate="1000", frames=40),
    Case("a.mov", rate="1/3600", frames=3),
    Case("a.ts", after=("-output_ts_offset", "5"), sounds=(SINE,)),
    Case("a.mkv", before=("-itsoffset", "0.5"), sounds=("sine=duration=2",)),
    Case("a.mkv", size="65x37", codec=CODECS["png alpha"], result=(64, 36)),
    Case("a.mov", filters=("setsar=2/1",), result=(128, 36)),
    Case("a.mxf", rate="25", codec=CODECS["mpeg2"]),
    Case("a.gif", rate="10", codec=CODECS["gif"]),
    Case("a.mov", sounds=(SINE,), sound_codec=("-c:a", "pcm_s16le", "-ac", "8")),
    Case("a.mov", again=((), ("-metadata:s:v:0", "rotate=90")), result=(36, 64)),
    Case("a.mp4", frames=None, after=("-g", "6"), again=(("-ss", "0.4"), ())),
    Case("movie", after=("-f", "matroska")),
    Case("a.mov", rate="30000/1001", after=("-timecode", "00:59:59;20")),
)

CHOSEN = list(cases()) if os.environ.get("FTRACK_LIKE_TEST_ODD_MEDIA") == "all" else SOME


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.id)
def test_what_is_told_of_a_result_is_exact(program: str, tmp_path: pathlib.Path, case: Case):
    """Frames, rate, size, colours and sound of the result are what is told, and its frames those
    of the source."""
    path = make(case, program, tmp_path)
    if path is None:
        pytest.skip("this ffmpeg cannot write such a file")
    check(case, path, tmp_path)


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_the_sandbox_tells_the_same(program: str, tmp_path: pathlib.Path, case: Case):
    """With the limits and the formats of the sandbox, the results are as exact."""
    pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
    from ftrack_like.sandbox.limits import Limits
    from ftrack_like.sandbox.media.tools import MediaTools

    path = make(case, program, tmp_path)
    if path is None:
        pytest.skip("this ffmpeg cannot write such a file")
    check(case, path, tmp_path, MediaTools(Limits()))


def test_the_generator_varies_all_properties():
    """There are hundreds of different cases, in all containers and with all codecs."""
    every = list(cases())
    assert len({case.id for case in every}) == len(every) > 500
    assert len({case.name for case in every}) >= 19
    assert {tuple(codec) for codec in CODECS.values()} <= {tuple(case.codec) for case in every}


SOME_DAMAGED = (
    Case("a.mov", frames=48, codec=CODECS["prores"]),
    Case("a.mkv", frames=48, codec=CODECS["ffv1"]),
    Case("a.mxf", rate="25", frames=48, codec=CODECS["mpeg2"]),
    Case("a.ts", frames=48),
)


@pytest.mark.parametrize(
    "case", list(damaged()) if CHOSEN is not SOME else SOME_DAMAGED, ids=lambda case: case.id
)
def test_a_damaged_movie_is_never_taken_for_a_whole_one(
    program: str, tmp_path: pathlib.Path, case: Case
):
    """After damage in the middle, there is an error, or each frame is still there and in order."""
    path = make(case, program, tmp_path)
    if path is None:
        pytest.skip("this ffmpeg cannot write such a file")
    original = numbers_of(measured(path, has_sound=False).levels)
    damage(path)
    target = tmp_path / "encoded"
    target.mkdir()
    told, found = "", None
    try:
        made = Pipeline(LocalPrograms()).make(Source("'it'", str(path)), target)
        found = numbers_of(measured(made.files[0].path).levels)
    except MediaError as error:
        told = str(error)
    assert told.startswith("'it' ") or found == original, told
