"""docs/commands.md is what the commands say of themselves."""

from __future__ import annotations

import inspect
import re

import pytest

import agent.errors
from agent.cli.main import COMMANDS, FLAGS, VALUES
from agent.errors import AgentError
from scripts.commands_doc import FILE, document

TEXT = FILE.read_text(encoding="utf-8")


def test_the_document_is_up_to_date() -> None:
    assert document() == TEXT, "write it again: python scripts/commands_doc.py"


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_each_command_has_a_section(name: str) -> None:
    assert re.search(rf"^## {name}( \w+)?$", TEXT, re.M)


@pytest.mark.parametrize("option", [*FLAGS, *VALUES])
def test_each_global_option_is_told(option: str) -> None:
    before = TEXT.partition("## Exit codes")[0]
    assert f"`{option}`" in before or f"`{option} " in before


def test_each_exit_code_of_an_error_is_told() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.M)}
    kinds = [kind for _, kind in inspect.getmembers(agent.errors, inspect.isclass)]
    exits = {kind.exit for kind in kinds if issubclass(kind, AgentError)}
    assert {0, 3, 130} | exits == told


def test_links_lead_to_sections() -> None:
    heads = {head.replace(" ", "-") for head in re.findall(r"^## (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\(#([\w-]+)\)", TEXT)) <= heads
