"""Every key of the three configuration files: the list that files and documents are held to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agent.errors import UnknownKey
from agent.settings.key import Key
from agent.settings.keys_tracking import TRACKING
from agent.settings.toml_file import TomlFile
from agent.settings.value import Source, Value, did_you_mean

PORTFOLIO: Sequence[Key] = (
    Key("schema", "1", "Version of this format.", needed=True),
    Key("name", "text", "What reports call this portfolio; decides nothing.", "portfolio"),
    Key("base", '"USD"', "Unit of account: every value and limit is in it.", "USD"),
    Key("wallet.address", "address", "The account whose tokens these are.", needed=True),
    Key("wallet.chains", "chains", "Where it is read and traded, in CAIP-2.", needed=True),
    Key(
        "wallet.signer",
        "signer",
        "Who signs: `keystore:NAME`, `ledger`, `remote:URL`, `env_key` (or `env_key:VARIABLE`), "
        "or `watch`, which signs nothing.",
        "watch",
    ),
    Key(
        "wallet.env_key_max_value",
        "money",
        "The largest value that may move under a key from the environment.",
        "1000",
    ),
    Key(
        "assets.<asset>.spend",
        "tokens",
        "Tokens that are this asset and may be sold: symbols, addresses, or `native`, the gas "
        "coin. A table for an asset replaces all that chains.toml groups under it.",
    ),
    Key("assets.<asset>.count", "tokens", "Tokens that count as this asset and are never sold."),
    Key(
        "targets.<asset>.weight",
        "share",
        "Wanted share; all of them sum to exactly 1.",
        needed=True,
    ),
    Key("targets.<asset>.band", "share", "Tolerated distance from the weight.", needed=True),
    Key("targets_by_chain.<chain>.min", "share", "Least share of the value on this chain.", "0"),
    Key("targets_by_chain.<chain>.max", "share", "Largest share of the value on this chain.", "1"),
    Key(
        "targets_by_asset_on_chain.<asset>@<chain>.min",
        "share",
        "Least share of the value in this asset on this chain.",
        "0",
    ),
    Key(
        "targets_by_asset_on_chain.<asset>@<chain>.max",
        "share",
        "Largest share of the value in this asset on this chain.",
        "1",
    ),
    Key(
        "holdings.unlisted",
        '"outside" or "refuse"',
        "Tokens of no target: shown and never touched, or a reason to do nothing.",
        "outside",
    ),
    Key("holdings.dust", "money", "What is worth less is never traded.", "5"),
    Key("flows.keep.<asset>", "amount", "Whole tokens of an asset that stay outside the weights."),
    Key(
        "flows.deposits",
        '"rebalance" or "buy-only"',
        "What plans do that nobody asks for otherwise: sell what is too much for what is missing, "
        "or only buy, with assets that are pegged to the unit of account.",
        "rebalance",
    ),
    Key(
        "trigger.mode",
        '"time", "threshold", "hybrid" or "manual"',
        "What calls for a run: the clock, a band left, either, or only a person.",
        "hybrid",
    ),
    Key("trigger.every", "duration", "Interval of the modes time and hybrid.", "7d"),
    Key("trigger.cooldown", "duration", "Least time between two runs.", "6h"),
    Key(
        "trigger.rebalance_to",
        '"target", "edge" or "cheapest"',
        "Where to stop: at the weights, at the near edge of the band, or wherever inside the "
        "bands costs least.",
        "cheapest",
    ),
    *TRACKING,
    Key("limits.max_slippage_bps", "bps", "Firm quote against execution.", 50),
    Key("limits.max_price_impact_bps", "bps", "Firm quote against independent prices.", 100),
    Key("limits.max_cost_bps", "bps", "All costs of a plan, of the value traded.", 80),
    Key("limits.max_run_value", "money", "Value that one run may move.", "10000"),
    Key("limits.max_day_value", "money", "Value that may be moved in 24 hours.", "20000"),
    Key("limits.max_month_cost", "money", "Costs of 30 days.", "100"),
    Key("limits.max_in_flight", "money", "Value that may be between chains at once.", "20000"),
    Key("limits.max_fee_per_tx", "money", "Network fee of one transaction, on any chain.", "15"),
    Key("limits.min_trade", "money", "The smallest trade worth making.", "50"),
    Key(
        "limits.max_price_age",
        '"heartbeat" or duration',
        "How old a feed's price may be: its own heartbeat, or less where this is shorter.",
        "heartbeat",
    ),
    Key("limits.max_price_spread_bps", "bps", "How far price sources may disagree.", 75),
    Key(
        "confirm.mode",
        '"always", "over" or "never"',
        "When a person confirms before the first signature.",
        "always",
    ),
    Key("confirm.over", "money", "With mode over: runs above this value are confirmed.", "0"),
    Key(
        "canary.value",
        "money",
        "The first use of a signer, venue, bridge or chain moves at most this.",
        "50",
    ),
    Key("venues.allow", "venues", "Where swaps may go.", ("router",)),
    Key("bridges.allow", "bridges", "How money may go between chains.", ()),
    Key(
        "bridges.max_wait", "duration", "Transfers that usually take longer are not planned.", "1h"
    ),
    Key(
        "bridges.across.api",
        '"on" or "off"',
        "Whether Across's fee API is asked what relayers want.",
        "on",
    ),
    Key(
        "bridges.across.relayer_fee_bps",
        "bps",
        "What a relayer is offered, of the amount, where no fee API is asked or answers.",
    ),
    Key(
        "bridges.across.relayer_fee_fixed",
        "money",
        "What it is offered beside that; with neither of the two there is no offer.",
    ),
    Key(
        "gas.reserve.<chain>",
        "amount",
        "Whole gas coins that stay on the chain; chains.toml has each chain's default.",
    ),
    # Who is told what the keeper does. URLs are secrets: only the names of their variables.
    Key("notify.webhook_env", "variable", "Holds a URL that notices are posted to as JSON."),
    Key("notify.apprise_env", "variable", "Holds apprise URLs, separated by spaces."),
    Key("notify.dead_man_env", "variable", "Holds a URL that is asked for after each good tick."),
    Key(
        "notify.events",
        "events",
        "What is told of: started, late, refused, needs_human, done.",
        ("started", "late", "refused", "needs_human", "done"),
    ),
)

_SOURCED = "Where the fact comes from, in words that let another person find it."
_CHECKED = "`live`: read from the chain itself; `document`: taken from its publisher's document."
_CHAIN = "chains.<chain>."


def _sourced(table: str) -> tuple[Key, Key]:
    """Where the facts of a table come from, and how they were checked."""
    return (
        Key(f"{table}.source", "text", _SOURCED, needed=True),
        Key(f"{table}.checked", '"live" or "document"', _CHECKED, needed=True),
    )


CHAINS: Sequence[Key] = (
    Key("schema", "1", "Version of this format.", needed=True),
    Key(_CHAIN + "name", "text", "Its usual name.", needed=True),
    Key(_CHAIN + "short_name", "text", "Its short name of EIP-3770.", needed=True),
    Key(_CHAIN + "native.symbol", "text", "The gas coin.", needed=True),
    Key(_CHAIN + "native.decimals", "0 to 36", "Its decimals.", needed=True),
    Key(_CHAIN + "native.asset", "asset", "The asset that it is a form of.", needed=True),
    Key(
        _CHAIN + "native.slip44",
        "number",
        "Its number in SLIP-44, by which CAIP-19 names it.",
        needed=True,
    ),
    Key(_CHAIN + "wrapped", "symbol", "The token that wraps the gas coin.", needed=True),
    Key(_CHAIN + "multicall3", "address", "Multicall3.", needed=True),
    Key(_CHAIN + "explorer", "URL", "A block explorer with the paths of EIP-3091.", needed=True),
    Key(
        _CHAIN + "fee_model",
        '"eip1559", "op_stack", "arbitrum" or "legacy"',
        "How fees are quoted: a base fee and a priority fee; the same and a fee for data apart "
        "from gas, or inside the gas used; one price for gas.",
        needed=True,
    ),
    Key(
        _CHAIN + "finality",
        '"finalized"',
        "How final blocks are recognised: by the block tag of that name.",
        needed=True,
    ),
    Key(
        _CHAIN + "confirmations",
        "1 to 10000",
        "How deep a block must lie before a dependent leg goes on; 1 is the newest one.",
        needed=True,
    ),
    Key(_CHAIN + "block_seconds", "seconds", "Usual time between blocks.", needed=True),
    Key(
        _CHAIN + "max_head_age_seconds",
        "1 to 86400",
        "A node whose newest block is older is behind.",
        needed=True,
    ),
    Key(_CHAIN + "gas_reserve", "amount", "Whole gas coins kept back, unless told.", needed=True),
    Key(_CHAIN + "genesis", "hash", "Hash of block 0, which tells chains apart.", needed=True),
    Key(
        _CHAIN + "rpc",
        "URLs",
        "Nodes in order of preference; `${NAME:-URL}` takes a variable.",
        needed=True,
    ),
    *_sourced(_CHAIN.removesuffix(".")),
    Key(_CHAIN + "tokens.<token>.address", "address", "The contract.", needed=True),
    Key(_CHAIN + "tokens.<token>.decimals", "0 to 36", "Must agree with the chain.", needed=True),
    Key(_CHAIN + "tokens.<token>.asset", "asset", "The asset that it is a form of.", needed=True),
    Key(
        _CHAIN + "tokens.<token>.role",
        '"spend" or "count"',
        "Whether it may be sold, or only counts because its price is not the asset's.",
        needed=True,
    ),
    Key(
        _CHAIN + "tokens.<token>.says",
        "text",
        "The symbol that the contract has, where it is another than ours.",
    ),
    *_sourced(_CHAIN + "tokens.<token>"),
    Key(_CHAIN + "feeds.<asset>.address", "address", "The feed's proxy contract.", needed=True),
    Key(
        _CHAIN + "feeds.<asset>.heartbeat_seconds",
        "1 to 604800",
        "It publishes at least this often.",
        needed=True,
    ),
    Key(_CHAIN + "feeds.<asset>.decimals", "0 to 36", "Of its answers.", needed=True),
    Key(_CHAIN + "feeds.<asset>.description", "text", "What it says of itself.", needed=True),
    Key(
        _CHAIN + "feeds.<asset>.unbounded",
        "true or false",
        "True for a feed that has no bounds to ask for.",
        default=False,
    ),
    Key(
        _CHAIN + "feeds.<asset>.rate",
        "function",
        "Of a token that only counts, in place of an asset: its function without arguments that "
        "says, in 18 decimals, how many of what the feed prices it stands for.",
    ),
    *_sourced(_CHAIN + "feeds.<asset>"),
    Key(_CHAIN + "uniswap.v2_factory", "address", "Factory of the V2 pairs.", needed=True),
    Key(_CHAIN + "uniswap.v3_factory", "address", "Factory of the V3 pools.", needed=True),
    Key(_CHAIN + "uniswap.swap_router_02", "address", "SwapRouter02.", needed=True),
    Key(_CHAIN + "uniswap.quoter_v2", "address", "QuoterV2.", needed=True),
    Key(
        _CHAIN + "uniswap.v3_fee_tiers",
        "pairs of numbers",
        "Fees of V3 pools in hundredths of a bp, each with its tick spacing.",
        needed=True,
    ),
    Key(_CHAIN + "uniswap.hub_tokens", "symbols", "Tokens that routes go through.", needed=True),
    *_sourced(_CHAIN + "uniswap"),
    Key(_CHAIN + "uniswap_v4.state_view", "address", "StateView of V4.", needed=True),
    Key(_CHAIN + "uniswap_v4.universal_router", "address", "Of version 2.0 alone.", needed=True),
    Key(_CHAIN + "uniswap_v4.permit2", "address", "Permit2.", needed=True),
    Key(
        _CHAIN + "uniswap_v4.fee_tiers",
        "pairs of numbers",
        "Fees of V4 pools that are looked for, in hundredths of a bp, each with its tick spacing.",
        needed=True,
    ),
    *_sourced(_CHAIN + "uniswap_v4"),
    Key(_CHAIN + "across.spoke_pool", "address", "Across's SpokePool.", needed=True),
    *_sourced(_CHAIN + "across"),
    Key(_CHAIN + "sequencer.feed", "address", "Tells whether its sequencer is up.", needed=True),
    Key(
        _CHAIN + "sequencer.grace_seconds",
        "0 to 86400",
        "So long after an outage prices do not count yet.",
        needed=True,
    ),
    *_sourced(_CHAIN + "sequencer"),
    Key(
        _CHAIN + "providers.<provider>.<fact>",
        "address, number, hash, text or table",
        "What the adapter of a venue or bridge must know of it here.",
    ),
    *_sourced(_CHAIN + "providers.<provider>"),
    Key(_CHAIN + "code_hashes.<address>", "hash", "Keccak-256 of the runtime code there."),
    *_sourced(_CHAIN + "code_hashes"),
    Key("pegs.<asset>.to", '"USD"', "What one whole token of it stands for.", needed=True),
    *_sourced("pegs.<asset>"),
    Key("bridges.across.api", "URL", "Where fees of Across are asked for.", needed=True),
    *_sourced("bridges.across"),
    Key("providers.<provider>.api", "URL", "Where its server is asked.", needed=True),
    *_sourced("providers.<provider>"),
)

OVERLAY: Sequence[Key] = (
    Key("schema", "1", "Version of this format.", needed=True),
    Key("local", "true", "Says that these chains are local ones.", needed=True),
    Key(_CHAIN + "rpc", "loopback URLs", "The local node.", needed=True),
    Key(_CHAIN + "genesis", "hash", "Its block 0, never that of the real chain.", needed=True),
    Key(_CHAIN + "block_seconds", "seconds", "Replaces that of chains.toml."),
    Key(_CHAIN + "confirmations", "1 to 10000", "Replaces that of chains.toml."),
    Key(_CHAIN + "max_head_age_seconds", "1 to 86400", "Replaces that of chains.toml."),
    Key(_CHAIN + "code_hashes.<address>", "hash", "Replaces all code hashes of chains.toml."),
    Key(_CHAIN + "heartbeats.<address>", "1 to 604800", "Of the feed at this address."),
    Key(_CHAIN + "sequencer_grace_seconds", "0 to 86400", "Replaces that of chains.toml."),
    Key(
        "bridges.across.api",
        "loopback URL",
        "The local stand-in of Across's fee API; without it nobody is asked.",
    ),
    Key(
        "providers.<provider>.api",
        "loopback URL",
        "The local stand-in of a provider's server; without it nobody is asked.",
    ),
    Key("keys.generated", "addresses", "The only accounts that may sign here.", needed=True),
)

_Tree = dict[str, "_Tree"]
"""Keys by the table they stand in; a key with a value of its own has nothing below."""


def refuse_unknown_keys(
    file: TomlFile, keys: Sequence[Key], source: Source, names: Mapping[str, Collection[str]]
) -> Value:
    """The root of *file*, once every key is one of *keys*.

    *names* tells which names each kind in angle brackets may have; without an entry, any.

    Raises:
        UnknownKey: a key that is not there, with the nearest that is.
        WrongType: something else where a table is wanted.
    """
    root = Value(raw=file.root, name="", source=source, file=file)
    _walk(root, _tree(keys), names)
    return root


def _tree(keys: Sequence[Key]) -> _Tree:
    root: _Tree = {}
    for key in keys:
        node = root
        for part in key.name.split("."):
            node = node.setdefault(part, {})
    return root


def _walk(table: Value, tree: _Tree, names: Mapping[str, Collection[str]]) -> None:
    fixed = {name for name in tree if not name.startswith("<")}
    kind = next((name for name in tree if name.startswith("<")), None)
    for key in table.names():
        if key in fixed:
            below = tree[key]
        elif kind is not None and (kind not in names or key in names[kind]):
            below = tree[kind]
        else:
            known = fixed | set(names.get(kind, ()) if kind else ())
            raise table.need(key).error(UnknownKey, f"unknown key{did_you_mean(key, known)}")
        if below:
            _walk(table.need(key), below, names)
