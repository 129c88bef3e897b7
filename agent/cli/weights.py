"""`weights`: a proposal for `[targets]`, from names, market caps or past prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from fractions import Fraction

    from agent.cli.context import Context
    from agent.core.money import Bps
    from agent.weights import Bounds, History, Method, Risk

MOST_BYTES = 16_000_000
"""A hundred assets over fifty years of days are a quarter of it."""


def weights(
    ctx: typer.Context,
    method: str = typer.Argument(
        ...,
        help="equal, market-cap, inverse-volatility, risk-parity, minimum-variance or hrp.",
    ),
    prices: Path | None = typer.Option(
        None, "--prices", help="CSV of closing prices: date, then a column for each asset."
    ),
    caps: Path | None = typer.Option(
        None, "--caps", help="CSV of market capitalisations: asset,cap."
    ),
    of: str = typer.Option(
        "", "--of", help="These assets only, such as ETH,WBTC,USDC; else all of the file."
    ),
    at_least: str = typer.Option(
        "", "--at-least", help="Percent that each asset is at least, such as 2 or 2,ETH=20."
    ),
    at_most: str = typer.Option(
        "", "--at-most", help="Percent that each asset is at most, such as 40 or 40,ETH=60."
    ),
    band: float = typer.Option(5.0, "--band", help="Tolerated percent around each target."),
) -> None:
    """Propose target weights and print them as [targets]; asks no chain, changes no file.

    docs/weights.md tells what each method presumes, and what goes wrong.
    """
    from agent.cli import output
    from agent.cli.draft import bands_of, read_band

    context: Context = ctx.obj
    chosen = _method(method)
    widest = read_band(band)
    names = _names(of)
    history = _history(chosen, prices, names)
    sizes = _sizes(chosen, caps, names)
    assets = history.assets if history else tuple(sizes) if sizes else names
    _refuse_unknown(context, assets)
    limits = _bounds(assets, at_least=at_least, at_most=at_most)
    found = _weigh(chosen, assets, sizes, history, limits)
    percents = {name: Decimal(weight) / 100 for name, weight in found.items()}
    proposal = _Proposal(chosen, history, found, percents, bands_of(percents, widest))
    if context.json:
        output.document("weights", proposal.document())
    else:
        output.show(proposal.text())


def _method(name: str) -> Method:
    from agent.errors import WrongValue
    from agent.settings.value import did_you_mean
    from agent.weights import METHODS

    if name in METHODS:
        return METHODS[name]
    raise WrongValue(
        f"no method {name!r}{did_you_mean(name, METHODS)}", fix=f"use one of {', '.join(METHODS)}"
    )


def _names(of: str) -> tuple[str, ...]:
    from agent.errors import WrongValue

    names = tuple(name.strip() for name in of.split(",") if name.strip())
    for name in names:
        if names.count(name) > 1:
            raise WrongValue(f"--of names {name} twice", fix="name each asset once")
    if len(names) == 1:
        raise WrongValue(f"--of names {names[0]} alone", fix="weights need two assets")
    return names


def _history(method: Method, file: Path | None, names: tuple[str, ...]) -> History | None:
    from agent.weights import read_history

    text = _text(method, file, "prices")
    return None if text is None else read_history(text, shown=str(file), only=names)


def _sizes(method: Method, file: Path | None, names: tuple[str, ...]) -> dict[str, Fraction] | None:
    from agent.weights import read_sizes

    text = _text(method, file, "caps")
    if text is not None:
        return read_sizes(text, shown=str(file), only=names)
    if method.takes == "names" and not names:
        from agent.errors import WrongValue

        raise WrongValue(f"{method.name} needs --of", fix="for example --of ETH,WBTC,USDC")
    return None


def _text(method: Method, file: Path | None, kind: str) -> str | None:
    """What is in the file of that *kind*, None where the method takes none.

    Raises WrongValue for one too few or too many, ConfigFileMissing for one that is not there.
    """
    from agent.errors import ConfigFileMissing, WrongValue

    if method.takes != kind:
        if file is None:
            return None
        raise WrongValue(f"{method.name} does not look at --{kind}", fix=f"leave --{kind} out")
    if file is None:
        raise WrongValue(f"{method.name} needs --{kind} FILE", fix="docs/weights.md has the format")
    try:
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigFileMissing(
            f"{file} cannot be read: {error.strerror}", fix=f"name the right file by --{kind}"
        ) from None
    if len(raw) > MOST_BYTES:
        raise WrongValue(f"{file} is larger than 16 MB", fix="leave out what is long ago")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise WrongValue(f"{file}:{line}: is no UTF-8 text", fix="save it as CSV, UTF-8") from None


def _refuse_unknown(context: Context, assets: tuple[str, ...]) -> None:
    """Raises WrongValue for an asset that could be no target: a portfolio would refuse it."""
    from agent.cli.draft import known_assets
    from agent.errors import WrongValue
    from agent.settings.value import did_you_mean

    known = known_assets(tuple(context.world().chains.values()))
    for name in assets:
        if name not in known:
            raise WrongValue(
                f"no asset {name!r} in chains.toml{did_you_mean(name, known)}",
                fix="correct the name, or choose assets by --of",
            )


def _bounds(assets: tuple[str, ...], *, at_least: str, at_most: str) -> Bounds:
    from agent.core.money import WHOLE_BPS, Bps
    from agent.weights import Bounds

    return Bounds(
        least=_limits("--at-least", at_least, assets, Bps(0)),
        most=_limits("--at-most", at_most, assets, WHOLE_BPS),
    )


def _limits(option: str, text: str, assets: tuple[str, ...], default: Bps) -> dict[str, Bps]:
    """Limits by asset out of `40,ETH=60`: one for all, others for some; raises WrongValue."""
    from agent.cli.draft import read_percent
    from agent.core.money import Bps
    from agent.errors import WrongValue

    said: dict[str, Bps] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (word.strip() for word in part.rpartition("="))
        if equals and name not in assets:
            raise WrongValue(
                f"{option} names {name or 'nothing'}, which has no weight here",
                fix=f"name one of {', '.join(assets)}",
            )
        if name in said:
            raise WrongValue(f"{option} says {name or 'a limit for all'} twice", fix="say it once")
        said[name] = Bps(int(read_percent(name or option, number.removesuffix("%")) * 100))
    general = said.get("", default)
    return {name: said.get(name, general) for name in assets}


def _weigh(
    method: Method,
    assets: tuple[str, ...],
    sizes: Mapping[str, Fraction] | None,
    history: History | None,
    limits: Bounds,
) -> dict[str, Bps]:
    from agent.weights import by_history, by_size, equally

    if history is not None:
        return by_history(method.name, history, limits)
    if sizes is not None:
        return by_size(sizes, limits)
    return equally(assets, limits)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """What is printed: weights in basis points and percent, bands, and the past they are from."""

    method: Method
    history: History | None
    weights: Mapping[str, Bps]
    percents: Mapping[str, Decimal]
    bands: Mapping[str, Decimal]

    @property
    def source(self) -> str:
        """The method and what it looked at."""
        if self.history is None:
            return self.method.name
        days, step = self.history.days, self.history.step_days
        apart = "a day" if step == 1 else f"{step} days"
        return f"{self.method.name} of {len(days)} prices {apart} apart, {days[0]} to {days[-1]}"

    @property
    def rows(self) -> str:
        """What stands below `[targets]`."""
        from agent.cli.draft import target_rows

        return target_rows(self.percents, self.bands)

    def _risks(self) -> Mapping[str, Risk]:
        from agent.weights import risks

        return {} if self.history is None else risks(self.history, self.weights)

    def document(self) -> dict[str, Any]:
        """The JSON kind `weights`."""
        from agent.cli.draft import share

        past, found = self.history, self._risks()
        return {
            "method": self.method.name,
            "presumes": self.method.presumes,
            "prices": None
            if past is None
            else {
                "rows": len(past.days),
                "step_days": past.step_days,
                "from": past.days[0].isoformat(),
                "to": past.days[-1].isoformat(),
            },
            "weights": [
                {
                    "asset": name,
                    "weight": share(percent),
                    "band": share(self.bands[name]),
                    "volatility": _part(found[name].volatility) if name in found else None,
                    "risk": _part(found[name].part) if name in found else None,
                }
                for name, percent in self.percents.items()
            ],
            "targets": f"[targets]\n{self.rows}\n",
        }

    def text(self) -> str:
        """The proposal as a person reads it, what follows the table as a portfolio takes it."""
        from agent.cli.output import table

        found = self._risks()
        lines = [self._line(name, found.get(name)) for name in self.percents]
        if found:
            lines = [("", "weight", "volatility a year", "part of the risk"), *lines]
        return "\n".join(
            [
                f"WEIGHTS by {self.source}",
                table(lines, right=frozenset({1, 2, 3})),
                f"presumes: {self.method.presumes}",
                "",
                f"[targets]   # {self.source}",
                self.rows,
            ]
        )

    def _line(self, name: str, risk: Risk | None) -> tuple[str, ...]:
        line = (f"  {name}", f"{self.percents[name]:.2f} %")
        if risk is None:
            return line
        return (*line, _percent(risk.volatility), _percent(risk.part))


def _part(figure: float) -> str:
    # Adding zero makes a zero of minus zero.
    return f"{round(figure, 4) + 0.0:.4f}"


def _percent(figure: float) -> str:
    return f"{round(figure * 100, 2) + 0.0:.2f} %"
