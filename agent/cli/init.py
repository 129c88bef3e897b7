"""`init`: a portfolio file that `doctor` accepts, from questions or from flags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.cli.draft import Draft
    from agent.settings import World

_T = TypeVar("_T")

FILE = Path("portfolio.toml")


def init(
    ctx: typer.Context,
    address: str = typer.Option("", "--address", help="The wallet; asked for when not given."),
    on: str = typer.Option(
        "", "--on", help="Chains, such as ethereum,base or eip155:1; asked for when not given."
    ),
    target: str = typer.Option(
        "", "--target", help="Percent by asset, such as ETH=50,USDC=50; asked for when not given."
    ),
    band: float = typer.Option(5.0, "--band", help="Tolerated percent around each target."),
    signer: str = typer.Option(
        "", "--signer", help="Who signs, such as keystore:main; without it nobody: watch-only."
    ),
    name: str = typer.Option("", "--name", help="What reports call the portfolio."),
    force: bool = typer.Option(False, "--force", help="Replace a file that is there."),
) -> None:
    """Write a portfolio file (--config FILE, else portfolio.toml); watch-only unless --signer."""
    from agent.cli import output

    context: Context = ctx.obj
    file = context.config or FILE
    if file.exists() and not force:
        raise _is_there(file)
    world = context.world()
    draft = gather(
        context,
        world,
        address=address,
        on=on,
        target=target,
        band=band,
        signer=signer,
        name=name or file.stem,
    )
    write(context, file, draft, force=force)
    steps = following(context, draft)
    if context.json:
        output.document("init", {**document(file, draft), "next": steps})
    else:
        output.show(f"{file} is written, {_role(draft)}")
        output.say("next:\n" + "\n".join(f"  {step}" for step in steps))


def gather(
    context: Context,
    world: World,
    *,
    address: str,
    on: str,
    target: str,
    band: float,
    signer: str,
    name: str,
) -> Draft:
    """The wishes of the flags, and of a person where one can be asked; raises ConfigError."""
    from agent.cli.draft import (
        Draft,
        bands_of,
        known_assets,
        read_address,
        read_band,
        read_chains,
        read_weights,
    )

    account = _wish(context, "--address", address, "address of the wallet", read_address)
    known = ", ".join(facts.short_name for facts in world.chains.values())
    question = f"chains, of {known} (Enter: all)"
    chains = _wish(
        context, "", on, question, lambda text: read_chains(text, world), may_be_empty=True
    )
    assets = ", ".join(known_assets(chains))
    question = f"targets in percent, of {assets}, such as ETH=50,USDC=50"
    weights = _wish(context, "--target", target, question, lambda text: read_weights(text, chains))
    return Draft(
        address=account,
        chains=chains,
        weights=weights,
        bands=bands_of(weights, read_band(band)),
        signer=signer or "watch",
        name=name,
    )


def _wish(
    context: Context,
    option: str,
    given: str,
    question: str,
    read: Callable[[str], _T],
    *,
    may_be_empty: bool = False,
) -> _T:
    """What *given* means, or what a person answers; a wrong answer is asked for again.

    Raises ConfigError for a wrong flag, and when nobody can be asked for a needed one.
    """
    from agent.cli import output
    from agent.errors import ConfigError, WrongValue

    if given or (may_be_empty and not context.interactive):
        return read(given)
    if not context.interactive:
        raise WrongValue(
            f"init needs {option} where nobody can be asked",
            fix="for example: rebalancer init --address 0x… --target ETH=50,USDC=50",
        )
    while True:
        output.say(f"{question}:")
        try:
            return read(input().strip())
        except ConfigError as error:
            output.say(f"  {error.message}; {error.fix}")


def write(context: Context, file: Path, draft: Draft, *, force: bool) -> None:
    """Write the file once its text is known to be a sound portfolio; raises ConfigError."""
    from agent.settings import load_text
    from agent.wire.private_file import write_private

    text = commented(draft)
    load_text(text, shown=file, chains=context.chains, overlay=context.overlay)
    try:
        write_private(file, text, new=not force)
    except FileExistsError:
        raise _is_there(file) from None


def _is_there(file: Path) -> Exception:
    from agent.errors import WrongValue

    return WrongValue(
        f"{file} is there already and stays as it is",
        fix="choose another place with --config FILE, or move it out of the way",
    )


def _role(draft: Draft) -> str:
    return "watch-only" if draft.signer == "watch" else "it may sign after a person confirmed"


def document(file: Path, draft: Draft) -> dict[str, object]:
    """The JSON kind `init`, without what to do next."""
    from agent.cli.draft import share
    from agent.wire.address import checksum

    return {
        "path": str(file),
        "address": checksum(draft.address),
        "chains": [facts.caip2 for facts in draft.chains],
        "targets": [
            {"asset": asset, "weight": share(weight), "band": share(draft.bands[asset])}
            for asset, weight in draft.weights.items()
        ],
        "signer": draft.signer.partition(":")[0],
    }


def following(context: Context, draft: Draft) -> list[str]:
    """The next commands, as they can be typed."""
    import shlex

    named = "" if context.config is None else f" --config {shlex.quote(str(context.config))}"
    steps = [f"rebalancer doctor{named}", f"rebalancer plan{named}"]
    if draft.signer != "watch":
        steps += [f"rebalancer simulate{named}", f"rebalancer run{named}"]
    return steps


def commented(draft: Draft) -> str:
    """The whole text of the file."""
    from agent.cli.draft import in_quotes

    return _TEXT.format(
        name=in_quotes(draft.name),
        wallet=draft.wallet,
        targets=draft.targets,
        bridges='["across"]' if len(draft.chains) > 1 else "[]",
    )


_TEXT = """\
# What shall become of this wallet. `rebalancer doctor` checks it, `rebalancer config show`
# prints what is in force, docs/configuration.md explains every key. Secrets never stand here:
# they belong into .env beside this file, mode 0600.
schema = 1
name   = {name}
base   = "USD"

[wallet]
{wallet}
# signer = "keystore:main"         # a key file: rebalancer accounts new main; watch signs nothing

[targets]                          # shares of all counted value; they sum to exactly 1
{targets}

[holdings]
unlisted = "outside"               # tokens in no asset: shown, never touched | "refuse"
dust     = "5"                     # what is worth less is never traded

[trigger]
mode     = "hybrid"                # time | threshold | hybrid | manual
every    = "7d"
cooldown = "6h"
rebalance_to = "cheapest"          # target | edge | cheapest (anywhere inside the bands)

# [tracking]                       # distance from the targets counts beside costs
# risk_aversion = "3"

[limits]                           # money in USD; set them to what a mistake may cost you
max_slippage_bps = 50              # firm quote against execution
max_price_impact_bps = 100         # against independent prices
max_cost_bps = 80                  # all costs of a plan, of traded value
max_run_value = "10000"
max_day_value = "20000"
max_month_cost = "100"
max_in_flight = "20000"            # between chains at once
max_fee_per_tx = "15"
min_trade = "50"
max_price_spread_bps = 75          # how far price sources may disagree

[confirm]
mode = "always"                    # a person types the plan's name | over | never (for keepers)

[canary]
value = "50"                       # the first use of a venue or bridge moves at most this

[venues]
allow = ["router"]
[bridges]
allow = {bridges}

# [notify]                         # who is told what `rebalancer watch` does; URLs stand in .env
# webhook_env = "NOTIFY_WEBHOOK"
"""
