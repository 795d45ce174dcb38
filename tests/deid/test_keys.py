"""The key: made once, kept close, and what is drawn from it."""

import os
import stat
import threading
from pathlib import Path

import pytest

from medloom.deid.keys import Draw, KeyFileError, key_fingerprint, keyed, load_key

KEY = bytes(range(32))


def test_a_missing_key_is_made_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deid.key"
    key = load_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key
    assert load_key(tmp_path / "other.key") != key
    assert [p.name for p in path.parent.iterdir()] == ["deid.key"]


def test_many_at_once_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "deid.key"
    barrier = threading.Barrier(8)
    keys: list[bytes] = []

    def load() -> None:
        barrier.wait()
        keys.append(load_key(path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == {path.read_bytes()}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [0, 5, 31])
def test_a_short_key_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "deid.key"
    path.write_bytes(b"k" * size)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=rf"{size} bytes, a key has at least 32"):
        load_key(path)
    assert path.stat().st_size == size


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize(("mode", "refused"), [(0o644, True), (0o602, True), (0o600, False), (0o640, False), (0o400, False)])
def test_a_key_open_to_everyone_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:
    path = tmp_path / "deid.key"
    path.write_bytes(KEY)
    path.chmod(mode)
    if refused:
        with pytest.raises(KeyFileError, match="chmod 600"):
            load_key(path)
    else:
        assert load_key(path) == KEY


def test_a_key_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read or made"):
        load_key(tmp_path)


def test_the_fingerprint_tells_keys_apart_and_holds_none_of_them() -> None:
    assert key_fingerprint(KEY) == key_fingerprint(bytes(KEY))
    assert key_fingerprint(KEY) != key_fingerprint(KEY[::-1])
    assert len(key_fingerprint(KEY)) == 16
    assert KEY.hex()[:8] not in key_fingerprint(KEY)


def test_draws_depend_on_key_patient_and_question() -> None:
    number = Draw(KEY, "a").number("NAME", "gilbert")
    assert number == Draw(KEY, "a").number("NAME", "gilbert")
    others = {Draw(KEY, "b").number("NAME", "gilbert"), Draw(KEY[::-1], "a").number("NAME", "gilbert")}
    others |= {Draw(KEY, "a").number("CITY", "gilbert"), Draw(KEY, "a").number("NAME", "gilberts")}
    assert len(others - {number}) == 4


def test_where_one_part_ends_counts() -> None:
    assert keyed(KEY, "ab", "c") != keyed(KEY, "a", "bc")
    assert keyed(KEY, "a\ud800")  # half a surrogate pair


def test_a_pick_steps_over_what_is_forbidden() -> None:
    draw = Draw(KEY, "a")
    options = ("Ann", "Bea", "Cat")
    first = draw.pick(options, (), "x")
    second = draw.pick(options, {first.casefold()}, "x")
    assert second == options[(options.index(first) + 1) % 3]
    assert draw.pick(options, {"ann", "bea", "cat"}, "x") == first
