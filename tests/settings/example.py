"""The portfolio of the command line's contract, kept to one chain."""

EXAMPLE = """\
schema = 1
name   = "core"
base   = "USD"

[wallet]
address = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
chains  = ["eip155:1"]
signer  = "keystore:main"          # keystore:… | ledger | remote:https://… | watch

[assets.ETH]                       # optional: what counts as the asset; chains.toml has defaults
spend = ["native", "WETH"]         # may be sold; native and wrapped are one asset
count = ["wstETH"]                 # valued at its own market price, never sold
[assets.USDC]
spend = ["USDC"]                   # USDC.e only if named

[targets]                          # shares of all counted value; must sum to exactly 1
ETH  = { weight = "0.50", band = "0.05" }
WBTC = { weight = "0.20", band = "0.04" }
USDC = { weight = "0.30", band = "0.05" }

[targets_by_chain]                 # optional
"eip155:1" = { max = "1" }

[targets_by_asset_on_chain]
"ETH@eip155:1" = { min = "0.10", max = "0.90" }

[holdings]
unlisted = "outside"               # tokens in no asset: shown, never touched | "refuse"
dust     = "5"                     # below this value: no trade

[flows]
keep     = { USDC = "3000" }       # outside the weights
deposits = "rebalance"

[trigger]
mode     = "hybrid"                # time | threshold | hybrid | manual
every    = "7d"
cooldown = "6h"
rebalance_to = "cheapest"          # target | edge | cheapest (anywhere inside the bands)

[limits]
max_slippage_bps = 50              # firm quote against execution
max_price_impact_bps = 100         # against independent prices
max_cost_bps = 80                  # all costs of a plan, of traded value
max_run_value = "10000"
max_day_value = "20000"
max_month_cost = "100"
max_in_flight = "20000"
max_fee_per_tx = "15"              # money, on any chain
min_trade = "50"
max_price_age = "heartbeat"        # of each feed
max_price_spread_bps = 75

[confirm]
mode = "always"                    # always | over | never; unattended keepers need "over" or "never", attested
over = "1000"

[canary]                           # first use of a signer, venue, bridge or chain moves at most this, then waits for finality
value = "50"

[venues]
allow = ["router", "cow", "kyberswap", "velora", "zerox", "oneinch"]
[bridges]
allow = ["cctp", "across"]
max_wait = "1h"                    # slower ones are not planned

[gas]
reserve = { "eip155:1" = "0.03" }

[notify]                           # variables that hold URLs; a URL is a secret and not for here
webhook_env  = "NOTIFY_WEBHOOK"
apprise_env  = "NOTIFY_APPRISE"
dead_man_env = "NOTIFY_DEAD_MAN"
events = ["started", "late", "refused", "needs_human", "done"]
"""
