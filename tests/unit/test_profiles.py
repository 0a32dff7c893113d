"""The file with the profiles of a user: reading, writing, and its secrets."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like._configuration import files, profiles
from ftrack_like._configuration.files import profile_path, warn_if_readable_by_others
from ftrack_like._configuration.profiles import (
    Profile,
    forget_profile,
    load_profiles,
    save_profile,
    set_default_profile,
)

if not any(map(importlib.util.find_spec, ("tomllib", "tomli"))):
    pytest.skip("this Python cannot read TOML", allow_module_level=True)

KEY = "secret-key-of-the-studio"
STUDIO = Profile("studio", "https://studio.ftrackapp.com", "jane.doe", KEY)
OTHER = Profile("other", "https://other.ftrackapp.com", "joan", "another-secret")

posix = pytest.mark.skipif(os.name == "nt", reason="file modes of POSIX")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the profile file of the test, which does not exist yet."""
    path = tmp_path / "settings" / "config.toml"
    monkeypatch.setenv(files.CONFIG_VARIABLE, str(path))
    return path


def write(place: Path, text: str) -> None:
    """Write *text* to the profile file, with the mode that it should have."""
    place.parent.mkdir(exist_ok=True)
    place.write_text(text, encoding="utf-8")
    place.chmod(0o600)


class FakeKeyring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, account: str) -> Any:
        return self.kept.get((service, account))

    def set_password(self, service: str, account: str, password: str) -> None:
        self.kept[service, account] = password

    def delete_password(self, service: str, account: str) -> None:
        del self.kept[service, account]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """Return a keyring in memory, as if the package were installed."""
    made = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", made)  # type: ignore[arg-type]
    return made


def test_no_file_means_no_profiles(place: Path) -> None:
    """Without a file there are no profiles, and nothing is created."""
    found = load_profiles()
    assert (found.names, found.default, found.selected(), found.exists) == ([], None, None, False)
    assert not place.parent.exists()


def test_saved_profile_is_read_again(place: Path) -> None:
    """A saved profile has the same address, user and key afterwards, and is the default."""
    save_profile(STUDIO)
    found = load_profiles().selected()
    assert found is not None
    assert found[:4] == STUDIO[:4]
    assert found.origin == f"the profile 'studio' in {place}"


@posix
def test_file_and_folder_are_private(place: Path) -> None:
    """The file has mode 0600 and its new folder 0700, whatever the umask."""
    before = os.umask(0)
    try:
        save_profile(STUDIO)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


@posix
def test_saving_takes_away_the_access_of_others(place: Path) -> None:
    """A file that others can read is private after the next change."""
    save_profile(STUDIO)
    place.chmod(0o644)
    save_profile(OTHER)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@posix
def test_usual_folder_becomes_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual folder loses the access of others if it existed with more."""
    monkeypatch.delenv(files.CONFIG_VARIABLE, raising=False)
    folder = tmp_path / "ftrack-like"
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *a, **k: str(folder))
    folder.mkdir(mode=0o755)
    path = save_profile(STUDIO)
    assert path == str(folder / "config.toml")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_loose_permissions_are_warned_of_once(place: Path, caplog: Any) -> None:
    """A file with keys that others can read gives one warning with the command to run."""
    save_profile(STUDIO)
    place.chmod(0o640)
    for _ in range(2):
        load_profiles().selected()
    (record,) = [r for r in caplog.records if "Other users" in r.getMessage()]
    assert record.levelname == "WARNING"
    assert f"chmod 600 {place}" in record.getMessage()
    assert KEY not in caplog.text


def test_modes_mean_nothing_on_windows(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the mode of a file says nothing about its readers."""
    save_profile(STUDIO)
    place.chmod(0o666)
    monkeypatch.setattr(files.os, "name", "nt")
    assert warn_if_readable_by_others(str(place)) is None


def test_rest_of_the_file_stays(place: Path) -> None:
    """Comments, other keys and other profiles survive a change."""
    write(
        place,
        "# mine\n"
        'colour = "green"\n\n'
        "[profiles.studio] # work\n"
        "# the key is from the wiki\n"
        'server_url = "https://old"\n'
        'note = "keep me"\n'
        'api_user = "old"\napi_key = "old"\n\n'
        "# below\n"
        "[more]\nx = 1\n",
    )
    save_profile(STUDIO)
    save_profile(OTHER, make_default=False)
    text = place.read_text(encoding="utf-8")
    for kept in ("# mine", "green", "# work", "# the key is from", "keep me", "# below", "x = 1"):
        assert kept in text
    assert "old" not in text
    assert load_profiles().default == "studio"
    assert load_profiles().get("studio")[:4] == STUDIO[:4]
    assert load_profiles().get("other")[:4] == OTHER[:4]


@pytest.mark.parametrize(
    "name", ["studio.ftrackapp.com", "my show", 'a"b\\c', "größe", "a]b", "x\u2028y"]
)
def test_odd_names_of_profiles(place: Path, name: str) -> None:
    """A name with dots, blanks, quotes or accents is written, changed and removed."""
    save_profile(STUDIO)
    save_profile(OTHER._replace(name=name))
    save_profile(STUDIO._replace(name=name))
    assert load_profiles().names == ["studio", name]
    assert load_profiles().get(name).api_key == KEY
    forget_profile(name)
    assert load_profiles().names == ["studio"]


def test_odd_values(place: Path) -> None:
    """Quotes, backslashes and accents in a key or a user survive."""
    odd = STUDIO._replace(api_user='jü"rgen\\', api_key="a\"b\\u0041'#=\x7f")
    save_profile(odd)
    assert load_profiles().get("studio")[:4] == odd[:4]


def test_file_in_another_form_is_not_damaged(place: Path) -> None:
    """A file that cannot be changed without losing parts is left alone, and an error says so."""
    text = 'profiles = {studio = {server_url = "https://a", api_user = "u", api_key = "k"}}\n'
    write(place, text)
    with pytest.raises(exception.ConfigurationError, match=r"edit the file yourself|Correct"):
        save_profile(STUDIO)
    assert place.read_text(encoding="utf-8") == text
    assert load_profiles().get("studio").api_key == "k"


def test_removing_forgets_profile_and_default(place: Path) -> None:
    """A removed profile is neither listed nor the default; the other one is then the default."""
    save_profile(OTHER)
    save_profile(STUDIO)
    assert forget_profile("studio")[:4] == STUDIO[:4]
    assert (load_profiles().names, load_profiles().default) == (["other"], "other")
    assert KEY not in place.read_text(encoding="utf-8")
    forget_profile("other")
    assert load_profiles().names == []
    with pytest.raises(exception.ConfigurationError, match="There is no profile 'other'"):
        forget_profile("other")


def test_default_must_exist(place: Path) -> None:
    """Only a profile of the file can become the default; a similar name is suggested."""
    save_profile(STUDIO)
    save_profile(OTHER)
    set_default_profile("studio")
    assert load_profiles().default == "studio"
    with pytest.raises(exception.ConfigurationError, match="Did you mean 'studio'"):
        set_default_profile("studoi")


def test_several_profiles_without_default(place: Path) -> None:
    """Of several profiles none is chosen without a default; FTRACK_PROFILE chooses one."""
    save_profile(STUDIO)
    save_profile(OTHER)
    write(
        place, "\n".join(line for line in place.read_text().splitlines() if "default" not in line)
    )
    assert load_profiles().selected() is None
    chosen = load_profiles().selected({profiles.PROFILE_VARIABLE: "other"})
    assert chosen is not None
    assert chosen.name == "other"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('default = "a"\n[profiles.a\n', "line 2"),
        ('default = "a"\n[profiles.a', "line 2"),
        ('x = 1\ny = "a\nz = 2\n', "line 2"),
        ("x = 1\nx = 2\n", "line 2"),
        ("profiles = 3\n", "profiles must be a table"),
        ('default = "a"\n[profiles]\na = 1\n', "profiles.a must be a table"),
        ('[profiles.a]\napi_user = "u"\napi_key = "hush"\n', "profiles.a.server_url must be"),
        ('[profiles.a]\nserver_url = "https://a"\napi_user = 1\napi_key = "hush"\n', "a.api_user"),
        ('[profiles.a]\nserver_url = "https://a"\napi_user = "u"\n', "a.api_key must be"),
        ('[profiles.a]\nserver_url = "https://a"\napi_user = "u"\nkeyring = "x"\n', "a.keyring"),
        ('[profiles.a]\nserver_url = "a"\napi_user = "u"\napi_key = "hush"\n', "Did you mean"),
        ("default = 3\n", "default must be the name"),
    ],
)
def test_broken_file_is_explained(place: Path, text: str, words: str) -> None:
    """The error names the file and the line or the entry, shows no key, and is a TypeError."""
    write(place, text)
    with pytest.raises(exception.ConfigurationError) as caught:
        load_profiles().selected()
    assert isinstance(caught.value, TypeError)
    assert words in str(caught.value)
    assert str(place) in str(caught.value)
    assert "hush" not in str(caught.value)


def test_text_in_another_encoding(place: Path) -> None:
    """A file that is not UTF-8 names the line; a byte order mark of an editor is accepted."""
    place.parent.mkdir()
    place.write_bytes(b"# one\n# gr\xfc\xdfe\n")
    with pytest.raises(exception.ConfigurationError, match="line 2"):
        load_profiles()
    place.write_bytes(b"\xef\xbb\xbf# one\r\n[profiles.a]\r\n")
    assert load_profiles().names == ["a"]
    save_profile(STUDIO)
    assert load_profiles().names == ["a", "studio"]


def test_broken_file_is_not_replaced(place: Path) -> None:
    """Saving to a file that is not TOML fails and leaves the file alone."""
    write(place, "[broken\n")
    with pytest.raises(exception.ConfigurationError, match="line 1"):
        save_profile(STUDIO)
    assert place.read_text() == "[broken\n"


def test_python_without_a_reader_of_toml(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tomllib and tomli, only an existing file is an error; it names the extra."""
    for name in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, name, None)
    assert load_profiles().names == []
    write(place, "")
    with pytest.raises(exception.ConfigurationError, match="extra 'profiles'"):
        load_profiles()


def test_tomli_reads_where_tomllib_is_missing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python before 3.11 reads the file with tomli."""
    save_profile(STUDIO)
    name = next(filter(importlib.util.find_spec, ("tomllib", "tomli")))
    loads = importlib.import_module(name).loads
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", SimpleNamespace(loads=loads))
    assert load_profiles().get("studio").api_key == KEY


def test_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home there are no profiles, and saving names the variable to set."""
    monkeypatch.delenv(files.CONFIG_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *a, **k: "~/.config/ftrack-like")
    assert profile_path() is None
    assert load_profiles().selected() is None
    with pytest.raises(exception.ConfigurationError, match=files.CONFIG_VARIABLE):
        save_profile(STUDIO)
    with pytest.raises(exception.ConfigurationError, match="no profile 'x'"):
        load_profiles().get("x")


def test_home_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    """Where the folder cannot be made or written, the error names the variable to set."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(files.CONFIG_VARIABLE, str(tmp_path / "file" / "config.toml"))
    assert load_profiles().names == []
    with pytest.raises(exception.ConfigurationError, match=files.CONFIG_VARIABLE) as caught:
        save_profile(STUDIO)
    assert KEY not in str(caught.value)


def test_full_disk_leaves_the_old_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way leaves the old file and no temporary file."""
    save_profile(STUDIO)
    before = place.read_text()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(exception.ConfigurationError, match="No space left"):
        save_profile(OTHER)
    assert place.read_text() == before
    assert sorted(each.name for each in place.parent.iterdir()) == [
        "config.toml",
        "config.toml.lock",
    ]


@posix
def test_link_stays_a_link(place: Path, tmp_path: Path) -> None:
    """A profile file that is a link to another place stays a link, as with dotfiles."""
    real = tmp_path / "dotfiles" / "ftrack.toml"
    real.parent.mkdir()
    real.write_text("")
    place.parent.mkdir()
    place.symlink_to(real)
    save_profile(STUDIO)
    assert place.is_symlink()
    assert KEY in real.read_text()


def test_threads_do_not_lose_profiles(place: Path) -> None:
    """Profiles that threads save at the same time are all in the file."""
    threads = [
        threading.Thread(target=save_profile, args=(STUDIO._replace(name=f"p{number}"),))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(load_profiles().names) == sorted(f"p{number}" for number in range(8))


def test_processes_do_not_lose_profiles(place: Path) -> None:
    """Profiles that processes save at the same time are all in the file."""
    code = (
        "import sys\n"
        "from ftrack_like._configuration.profiles import Profile, save_profile\n"
        "for n in range(5):\n"
        "    save_profile(Profile(sys.argv[1] + str(n), 'https://a', 'u', 'k'))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, letter]) for letter in "abcd"]
    assert [process.wait(120) for process in running] == [0] * 4
    assert sorted(load_profiles().names) == sorted(f"{a}{n}" for a in "abcd" for n in range(5))


def test_systems_without_locks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fcntl, as on Windows, profiles are written all the same."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delattr(os, "getuid", raising=False)
    save_profile(STUDIO)
    assert load_profiles().get("studio").api_key == KEY


def test_lock_of_windows_is_waited_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the locks of Windows, a lock of another process is waited for, then an error."""
    tried = []

    def locking(handle: int, mode: int, size: int) -> None:
        tried.append(mode)
        if len(tried) < 3:
            raise PermissionError("locked")

    module = SimpleNamespace(LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    save_profile(STUDIO)
    assert len(tried) == 3
    monkeypatch.setattr(files, "LOCK_PATIENCE", 0.0)
    tried[:] = []
    with pytest.raises(exception.ConfigurationError, match="Another process"):
        save_profile(OTHER)


# The keyring


def test_key_in_the_keyring_is_not_in_the_file(place: Path, keyring: FakeKeyring) -> None:
    """A profile without a key in the file gets it from the keyring."""
    assert profiles.keys.keep_in_keyring(*STUDIO[:4]) is None  # type: ignore[arg-type]
    save_profile(STUDIO._replace(api_key=None))
    assert KEY not in place.read_text()
    found = load_profiles().get("studio")
    assert found.in_keyring
    assert found.key() == KEY
    assert profiles.keys.forget_key(*STUDIO[:3]) is None
    with pytest.raises(exception.ConfigurationError, match="login --profile studio"):
        found.key()


def test_key_stays_with_its_server(place: Path, keyring: FakeKeyring) -> None:
    """A changed address in the file does not get the key that was stored for another server."""
    profiles.keys.keep_in_keyring(*STUDIO[:4])  # type: ignore[arg-type]
    save_profile(STUDIO._replace(api_key=None))
    place.write_text(place.read_text().replace("studio.ftrackapp.com", "evil.example.com"))
    with pytest.raises(exception.ConfigurationError, match="evil"):
        load_profiles().get("studio").key()


def test_missing_keyring_is_explained(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, a profile with its key in the keyring names the extra."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    save_profile(STUDIO._replace(api_key=None))
    with pytest.raises(exception.ConfigurationError, match="extra 'keyring'"):
        load_profiles().get("studio").key()
    assert "extra 'keyring'" in str(profiles.keys.keep_in_keyring(*STUDIO[:4]))  # type: ignore[arg-type]


def test_locked_keyring_is_explained(place: Path, keyring: FakeKeyring) -> None:
    """An error of the keyring becomes an error of the library, without the key."""

    def fail(*arguments: str) -> None:
        raise RuntimeError(f"locked: {arguments}")

    save_profile(STUDIO._replace(api_key=None))
    keyring.get_password = keyring.set_password = keyring.delete_password = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(exception.ConfigurationError, match="Unlock it"):
        load_profiles().get("studio").key()
    reason = profiles.keys.keep_in_keyring(*STUDIO[:4])  # type: ignore[arg-type]
    assert reason is not None
    assert KEY not in reason
    assert profiles.keys.forget_key(*STUDIO[:3]) is not None


def test_profile_never_shows_its_key() -> None:
    """Neither repr nor str of a profile has the key."""
    assert KEY not in f"{STUDIO!r} {STUDIO}"
