"""The file that stops all signing: whatever is in it, it stops."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.compose import KillSwitch
from agent.compose.kill_switch import FILE
from agent.errors import DiskFull


def test_switch_that_nobody_threw_stops_nothing(tmp_path: Path) -> None:
    assert KillSwitch(tmp_path / "never made").reason() is None


def test_thrown_switch_says_why_to_everybody_until_it_is_released(tmp_path: Path) -> None:
    state = tmp_path / "not" / "there"
    KillSwitch(state).throw("a look at something")
    other = KillSwitch(state)
    assert "a look at something" == other.reason()
    assert [True, False] == [other.release() for _ in range(2)]
    assert other.reason() is None


def test_switch_thrown_again_has_the_newer_reason(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    for reason in ("first", "second"):
        switch.throw(reason)
    assert "second" == switch.reason()


def test_empty_file_made_by_hand_stops(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    switch = KillSwitch(tmp_path)
    assert f"{tmp_path / FILE} is there" == switch.reason()
    assert switch.release()
    assert switch.reason() is None


@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("reason"), inner),
        ).map(lambda said: json.dumps(said).encode()),
    )
)
def test_file_stops_whatever_is_in_it(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_bytes(content)
        assert isinstance(KillSwitch(Path(folder)).reason(), str)


def test_file_that_cannot_be_read_stops(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert f"{tmp_path / FILE} cannot be read" == KillSwitch(tmp_path).reason()
    (tmp_path / FILE).rmdir()
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    assert f"{tmp_path / FILE} cannot be read" == KillSwitch(tmp_path).reason()


def test_switch_that_cannot_be_thrown_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFull, match="could not be written") as caught:
        KillSwitch(tmp_path / "file").throw("now")
    assert "stop the running processes" in caught.value.fix
