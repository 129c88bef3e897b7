"""What every key of `plan --json` means, for docs/commands.md; a test reads what is printed."""

from collections.abc import Iterator

MONEY = "in the unit of account, as text"

KEYS = {
    "schema": "Version of the forms of JSON; another one means other keys.",
    "kind": "`plan`.",
    "id": "The plan's id, null where there is nothing to do.",
    "wallet": "The wallet, CAIP-10.",
    "wish.kind": "What the plan is wanted for: `rebalance`, `buy-only`, `invest` or `raise`.",
    "wish.asset": "Of `invest` and `raise`: the asset that was named.",
    "wish.asked": "Of `invest` and `raise`: how much was asked for, whole tokens.",
    "wish.reached": "Of `invest` and `raise`: how much of it the plan moves or sets free.",
    "blocks.<chain>": "The block that was looked at, by chain (CAIP-2).",
    "value": f"What the wallet holds that counts, {MONEY}.",
    "assets[].asset": "An asset with a target.",
    "assets[].before": "Its share now, as a ratio.",
    "assets[].after": "Its share when every leg brings what is expected.",
    "assets[].target": "The share that the policy wants.",
    "assets[].low": "The lower edge of its band.",
    "assets[].high": "The upper edge of its band.",
    "legs[].id": "What other legs, events and `status` call the leg.",
    "legs[].kind": "`swap`, `bridge`, `wrap` or `unwrap`.",
    "legs[].via": "The venue or bridge.",
    "legs[].chain": "Where it is signed (CAIP-2).",
    "legs[].to_chain": "Of bridges: where it arrives.",
    "legs[].sell.token": "What is sold, CAIP-19.",
    "legs[].sell.symbol": "Its symbol.",
    "legs[].sell.amount": "How much, base units.",
    "legs[].sell.decimals": "Decimals of the token.",
    "legs[].sell.value": f"The same {MONEY}; null without a price.",
    "legs[].buy.token": "What is bought or arrives, CAIP-19.",
    "legs[].buy.symbol": "Its symbol.",
    "legs[].buy.amount": "What is expected, base units.",
    "legs[].buy.decimals": "Decimals of the token.",
    "legs[].buy.min_amount": "The least that is taken, base units; with less nothing is done.",
    "legs[].buy.value": f"What is expected {MONEY}; null without a price.",
    "legs[].after": "Ids of legs that must have delivered before this one begins.",
    "legs[].gas_cost": f"Fees of the network, {MONEY}.",
    "legs[].cost": f"All that the leg costs, those fees too, {MONEY}.",
    "legs[].seconds": "How long it usually takes.",
    "legs[].detail": "Which way the venue goes, for people; may be empty.",
    "cost": f"What the plan is expected to cost, gas included, {MONEY}.",
    "tracking": "What distance from the targets counts beside that and is paid to nobody; 0 where "
    "nothing of it counts.",
    "bound": "No plan that does as much has less as `cost` and `tracking` together: proven "
    "by the solver; null where nothing is proven.",
    "gap": "`cost` and `tracking` less `bound`: what a better plan could save at most; null as "
    "`bound` is.",
    "gap_ratio": "`gap` as a part of `cost` and `tracking`; null as `bound` is.",
    "worst_case": "The loss when every leg brings only its minimum.",
    "gas_if_reverted": "The loss when every leg fails: fees alone.",
    "turnover": f"The value that is sold, {MONEY}.",
    "expires": "Until when the plan may be begun, ISO 8601.",
    "policy_hash": "The policy that it was made for: `run FILE` refuses it under another one.",
    "prices[].asset": "An asset whose price was used.",
    "prices[].value": f"The price of one whole token, {MONEY}.",
    "prices[].sources": "Who said so.",
    "why": "Reasons for people: first why now, then why these legs.",
    "missed": "What stays outside the bands afterwards, or may stay; 0 when nothing does.",
    "alternatives[].what": "Another way that was found, in words.",
    "alternatives[].cost": f"What it would cost, its distance too where that counts, {MONEY}.",
    "cheapest_alternative.what": "The cheapest of them; null in its place without any.",
    "cheapest_alternative.cost": "What that would cost.",
    "rounds": "How often venues that are only asked were asked about the plan's swaps; 0 where "
    "nobody was.",
    "asked[].round": "The round in which it was asked, from 1.",
    "asked[].chain": "Where the swap is (CAIP-2).",
    "asked[].sell.token": "What would be sold, CAIP-19.",
    "asked[].sell.symbol": "Its symbol.",
    "asked[].sell.amount": "How much, base units.",
    "asked[].sell.decimals": "Decimals of the token.",
    "asked[].buy": "What would be bought, CAIP-19.",
    "asked[].known.via": "Whose edge was the best before; null in its place where nobody surveys "
    "the pair.",
    "asked[].known.answer": "`offered`.",
    "asked[].known.amount": "What that edge brings, base units.",
    "asked[].known.net": "The same less what its gas is worth.",
    "asked[].known.decimals": "Decimals of the token bought.",
    "asked[].answers[].via": "A venue that was asked.",
    "asked[].answers[].answer": "`offered`, `none` (no way), `limited` (ask less), `down`, or "
    "`refused`.",
    "asked[].answers[].amount": "What it offers; of `measured` what the simulation brought.",
    "asked[].answers[].net": "The same less what its gas and fee are worth.",
    "asked[].answers[].decimals": "Decimals of the token bought.",
    "asked[].answers[].better_bps": "By how many bps that is more than the net of `known`; null "
    "where there is no offer or nothing known.",
    "asked[].answers[].code": "Of what is no offer: the code of the reason.",
    "asked[].answers[].why": "The reason, or what else is to be said of it.",
    "asked[].measured": "Whose offer was simulated, accepted and better than `known`; null where "
    "none was.",
    "asked[].taken": "Whether the plan goes by it.",
    "explanation[].about": "With `--explain`: the heading of one part of the reasoning.",
    "explanation[].lines": "With `--explain`: its lines.",
    "requests": "How many questions the nodes were asked for it.",
}
"""By path: `[]` stands for the rows of a list, `<chain>` for the names of chains."""


def table() -> list[str]:
    """The lines of the document about them."""
    return [
        "With `--json` one document; where there is nothing to do it has `schema`, `kind`, `id`,",
        "`wallet`, `wish`, `legs` (empty) and `why`; `plan show FILE` prints the same.",
        "Amounts, shares and money are text, so that no digit is lost.",
        "",
        "| key | means |",
        "|---|---|",
        *(f"| `{key}` | {text} |" for key, text in KEYS.items()),
    ]


def paths(found: object, at: str = "") -> Iterator[str]:
    """The paths of all that is in a printed document; of an empty list or null its own alone."""
    if isinstance(found, dict) and found:
        for key, value in found.items():
            name = "<chain>" if at == "blocks" else key
            yield from paths(value, f"{at}.{name}" if at else name)
    elif isinstance(found, list) and found and isinstance(found[0], dict):
        for row in found:
            yield from paths(row, f"{at}[]")
    else:
        yield at
