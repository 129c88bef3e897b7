"""docs/operations.md: its commands exist, its tables are whole, and its units are sound."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from configparser import RawConfigParser
from pathlib import Path

import pytest
import typer.main

from agent.cli.main import COMMANDS, FLAGS, VALUES, build
from agent.core.notice import Notice
from agent.keeper.causes import PAUSES
from agent.settings import find_paths
from agent.settings.environment import FILES
from agent.settings.notify import EVENTS
from agent.stores.sqlite import FILE
from agent.wire.webhook import body

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
DEPLOY = ROOT / "deploy"
SERVICE, TIMER = (DEPLOY / "systemd" / f"rebalancer.{kind}" for kind in ("service", "timer"))

OPTION = re.compile(r"--?[a-z][a-z-]*")


def command_lines() -> list[str]:
    """What follows `rebalancer` in the document and in the unit, without comments."""
    found = re.findall(r"(?<![-/.:\w])rebalancer ([a-z][^`\n#>|]*)", DOCUMENT)
    found += re.findall(r"/bin/rebalancer (.*)", SERVICE.read_text())
    words = {name for name, _ in COMMANDS}
    return [line.strip() for line in found if line.split()[0] in words]


@pytest.mark.parametrize("line", command_lines())
def test_command_of_the_document_exists_with_its_options(line: str) -> None:
    command = typer.main.get_command(build())
    words = line.split()
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    known = {*FLAGS, *VALUES, *(name for param in command.params for name in param.opts)}
    assert set() == set(OPTION.findall(" ".join(w for w in words if w[0] == "-"))) - known


def test_document_speaks_of_the_commands_that_matter() -> None:
    first = {line.split()[0] for line in command_lines()}
    assert {"watch", "doctor", "simulate", "notify", "pause", "unpause", "status"} <= first


def rows(head: str) -> list[str]:
    """First cells of the table under *head*, without their backticks."""
    table = DOCUMENT.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in table]


def test_every_exit_code_is_told_what_it_means_to_a_scheduler() -> None:
    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    listed = commands.partition("## Exit codes")[2].partition("\n\nAn error")[0]
    assert re.findall(r"^\| (\d+) \|", listed, re.M) == rows("code")


def test_every_event_and_every_field_of_a_notice_is_documented() -> None:
    assert list(EVENTS) == rows("event")
    notice = Notice(event="test", portfolio="p", wallet="w", why="y", at=0)
    assert list(body(notice)) == rows("field")


def test_pauses_are_as_documented() -> None:
    words = {60: "one minute", 300: "five minutes", 600: "ten minutes"}
    words |= {3_600: "one hour", 6 * 3_600: "six hours", 86_400: "a day"}
    text = " ".join(DOCUMENT.split())
    for cause, name in {
        "node": "nodes",
        "prices": "prices",
        "fees": "dear gas",
        "limit": "limits",
    }.items():
        pause = PAUSES[cause]
        assert f"{name} from {words[pause.first]} to {words[pause.cap]}" in text
    assert [5, 5, 3] == [PAUSES[cause].stops_after for cause in ("guard", "simulation", "key")]
    assert "After five refusals by guards or rehearsals in a row, or three keys" in text


def test_state_folder_is_as_documented() -> None:
    assert FILE in rows("file")
    assert "~/.local/state/rebalancer" in DOCUMENT
    assert "rebalancer" == find_paths().state.name


def test_notify_table_of_the_document_is_toml() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.S)
    assert list(EVENTS) == tomllib.loads(block)["notify"]["events"]


def unit(path: Path) -> RawConfigParser:
    """A unit file; of a key that stands several times, the last."""
    parser = RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


def test_service_treats_waiting_and_a_held_wallet_as_success() -> None:
    service = unit(SERVICE)["Service"]
    assert "9 75" == service["SuccessExitStatus"]
    assert ("oneshot", "yes") == (service["Type"], service["DynamicUser"])
    assert service["LoadCredential"].startswith("rebalancer-password:/")


def test_service_sets_only_variables_that_are_read() -> None:
    said = re.findall(r"^Environment=(REBALANCER_\w+)=", SERVICE.read_text(), re.M)
    said += re.findall(r"\b(REBALANCER_\w+)=", (DEPLOY / "Containerfile").read_text())
    assert {"REBALANCER_CONFIG", "REBALANCER_HOME"} == set(said)
    assert set(said) <= set(FILES)


def test_timer_makes_missed_ticks_one_and_spreads_them() -> None:
    timer = unit(TIMER)["Timer"]
    assert ("true", "60") == (timer["Persistent"], timer["RandomizedDelaySec"])


def test_systemd_itself_has_nothing_against_the_units(tmp_path: Path) -> None:
    """Where systemd is installed; elsewhere the tests above are all there is."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return
    for path in (SERVICE, TIMER):
        text = path.read_text().replace("/usr/local/bin/rebalancer", sys.executable)
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        [verify, "verify", "--man=no", str(tmp_path / SERVICE.name), str(tmp_path / TIMER.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_container_does_not_run_as_root() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert ["10001:10001"] == re.findall(r"^USER (.*)$", text, re.M)
    assert "--require-hashes -r requirements/notify.txt" in text
