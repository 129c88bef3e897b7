"""`explain`: the long text of an error or a refusal, with what loosening it would risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context

RESOURCE = "cli/explanations.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a code means, what to do about it, and what would be at stake without the rule."""

    code: str
    title: str
    means: str
    do: str
    risk: str


def explain(
    ctx: typer.Context,
    code: str = typer.Argument("", help="A code such as G203; all of them when not given."),
) -> None:
    """Say what a code means, what to do, and what loosening the rule would risk."""
    from agent.cli import output
    from agent.errors import WrongValue

    context: Context = ctx.obj
    known = explanations()
    if not code:
        if context.json:
            codes = [{"code": row.code, "title": row.title} for row in known.values()]
            output.document("codes", {"codes": codes})
        else:
            output.show(output.table([(row.code, row.title) for row in known.values()]))
        return
    found = known.get(code.upper())
    if found is None:
        raise WrongValue(
            f"there is no code {code[:12]!r}", fix="see which there are: rebalancer explain"
        )
    if context.json:
        output.document(
            "explanation",
            {
                "code": found.code,
                "title": found.title,
                "means": found.means,
                "do": found.do,
                "risk": found.risk,
            },
        )
    else:
        output.show(text(found))


def text(found: Explanation) -> str:
    """An explanation for people, in paragraphs that fit a terminal."""
    import textwrap

    def paragraph(head: str, body: str) -> str:
        return f"{head}\n" + textwrap.fill(
            body, 88, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )

    return "\n".join(
        [
            f"{found.code}  {found.title}",
            paragraph("what it means", found.means),
            paragraph("what to do", found.do),
            paragraph("what loosening it would risk", found.risk),
        ]
    )


def explanations() -> dict[str, Explanation]:
    """All explanations by code, in order."""
    import tomllib

    from agent import resources

    raw = tomllib.loads(resources.text(RESOURCE))
    return {
        code: Explanation(
            code=code,
            title=entry["title"],
            means=" ".join(entry["means"].split()),
            do=" ".join(entry["do"].split()),
            risk=" ".join(entry["risk"].split()),
        )
        for code, entry in sorted(raw.items())
    }
