"""`pause` and `unpause`: the switch is a file that works without a portfolio."""

from __future__ import annotations

from pathlib import Path

from cli.commands import Command
from cli_fixtures import CliWallet


def test_pause_stops_signing_until_unpause(bare: Command, tmp_path: Path) -> None:
    paused = bare("pause", "--reason", "the router was hacked")
    assert (0, "paused: the router was hacked\n") == (paused.code, paused.stdout)
    switch = tmp_path / "bare" / "paused.json"
    assert (True, 0o700) == (switch.exists(), switch.parent.stat().st_mode & 0o777)
    released = bare("unpause")
    assert "signing is allowed again; it was paused: the router was hacked\n" == released.stdout
    assert not switch.exists()
    assert (0, "nothing was paused\n") == (bare("unpause").code, bare("unpause").stdout)


def test_pause_speaks_json(bare: Command) -> None:
    paused = bare("pause", "--reason", "x", "--json").document
    assert {"schema": 1, "kind": "pause", "paused": True, "reason": "x"} == paused
    released = bare("unpause", "--json").document
    assert {"schema": 1, "kind": "pause", "paused": False, "was": "x"} == released


def test_pause_needs_a_reason(bare: Command) -> None:
    assert (2, 2) == (bare("pause").code, bare("pause", "--reason", "  ").code)
    assert "error[U100]" in bare("pause").stderr
    assert "error[C104] a pause needs a reason" in bare("pause", "--reason", " ").stderr


def test_a_run_that_is_paused_signs_nothing_and_goes_on_afterwards(
    command: Command, wallet: CliWallet
) -> None:
    command("pause", "--reason", "look first")
    waiting = command("run", "--json", "--no-rehearsal", "--wait", "0")
    assert (9, "waiting") == (waiting.code, waiting.lines[-1]["outcome"])
    assert "paused: look first" == waiting.lines[-1]["why"]
    assert 0 == wallet.nonce()
    command("unpause")
    done = command("resume", "--json")
    assert (0, "done", 4) == (done.code, done.lines[-1]["outcome"], wallet.nonce())
