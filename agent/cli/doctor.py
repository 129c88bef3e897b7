"""`doctor`: every fact checked, on this machine and on chain; each finding has a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.checks import Finding
    from agent.cli.context import Context

EXIT_ERRORS = 1


def doctor(
    ctx: typer.Context,
    funds: bool = typer.Option(
        False, "--funds", help="Look for transfers between chains that have not arrived instead."
    ),
    days: int = typer.Option(14, "--days", help="How far back to look for them.", min=1, max=365),
) -> None:
    """Check files, keys, nodes, contracts, tokens, prices and gas; signs nothing."""
    from contextlib import closing

    from agent.cli import checks_funds, output
    from agent.cli.checks_chain import chains
    from agent.cli.checks_machine import machine
    from agent.compose import open_account, open_journal
    from agent.compose.adapters import KeyAccess

    context: Context = ctx.obj
    settings = context.settings()
    found: list[Finding] = [] if funds else list(machine(settings))
    access = KeyAccess(ask=context.password, accept_plain_key=context.accept_plain_key)
    # A journal that cannot be written, or not even read, is a finding and not the end.
    journal = open_journal(settings, read_only=True)
    with closing(open_account(settings, access, journal=journal)) as account:
        found += checks_funds.funds(account, days) if funds else chains(account)
    if context.json:
        output.document("doctor", {**document(found), "local": settings.local})
    else:
        output.show(text(found, quiet=context.quiet))
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(EXIT_ERRORS)


def document(found: list[Finding]) -> dict[str, Any]:
    """The JSON kind `doctor`."""
    return {
        "ok": all(finding.level != "error" for finding in found),
        "findings": [
            {
                "about": finding.about,
                "level": finding.level,
                "what": finding.what,
                "fix": finding.fix or None,
                "code": finding.code or None,
            }
            for finding in found
        ],
    }


def text(found: list[Finding], *, quiet: bool = False) -> str:
    """Findings as a person reads them: what is fine, what is not, and what would mend it."""
    marks = {"ok": "✓", "warning": "!", "error": "✗"}
    lines = []
    for finding in found:
        if quiet and finding.level == "ok":
            continue
        code = f"[{finding.code}] " if finding.code else ""
        lines.append(f"{marks[finding.level]} {finding.about}: {code}{finding.what}")
        if finding.fix:
            lines.append("    " + ": ".join(filter(None, (finding.place, finding.fix))))
    errors = sum(finding.level == "error" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    return "\n".join([*lines, f"{errors} errors, {warnings} warnings"])
