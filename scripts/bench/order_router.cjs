// Uniswap's smart-order-router on pools that it is told of: one JSON document in, one out.
//
//   node order_router.cjs <folder of node_modules> < question.json
//
// What it would ask servers (pools, token lists, gas prices, whether tokens take fees) is answered
// here; quotes of V3 pools and of mixed routes come from the contracts at `quoter` and `mixedQuoter`
// through Uniswap's own multicall, those of V2 from reserves, as on mainnet; a seventh as many at once
// as there, because a local node gives a call the gas of one block. All else is its default.

const { createRequire } = require("node:module");
const path = require("node:path");

const load = createRequire(path.join(path.resolve(process.argv[2]), "any.js"));
const { AlphaRouter, CurrencyAmount, OnChainQuoteProvider, UniswapMulticallProvider } = load(
  "@uniswap/smart-order-router",
);
const { Token, TradeType } = load("@uniswap/sdk-core");
const { Protocol } = load("@uniswap/router-sdk");
const { BigNumber } = load("@ethersproject/bignumber");
const { StaticJsonRpcProvider } = load("@ethersproject/providers");

const read = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
};

// Pools in the form of the subgraph; which of them are looked at is chosen by what they hold.
const onV3 = (pool) => ({
  id: pool.address, feeTier: String(pool.fee), liquidity: pool.liquidity,
  token0: { id: pool.token0 }, token1: { id: pool.token1 }, tvlETH: pool.ether, tvlUSD: pool.usd,
});
const onV2 = (pool) => ({
  id: pool.address, token0: { id: pool.token0 }, token1: { id: pool.token1 },
  supply: pool.ether, reserve: pool.ether, reserveUSD: pool.usd,
});
const answering = (pools) => ({ getPools: async () => pools });

async function main() {
  const asked = await read(process.stdin);
  const tokens = new Map(
    asked.tokens.map(({ address, decimals, symbol }) => [
      address, new Token(asked.chainId, address, decimals, symbol, symbol),
    ]),
  );
  const known = {
    getTokenByAddress: (address) => tokens.get(address.toLowerCase()),
    getTokenBySymbol: (symbol) => [...tokens.values()].find((token) => token.symbol === symbol),
    getAllTokens: () => [...tokens.values()],
  };
  const provider = new StaticJsonRpcProvider(asked.url, asked.chainId);
  const calls = new UniswapMulticallProvider(asked.chainId, provider, 375000);
  const router = new AlphaRouter({
    chainId: asked.chainId,
    provider,
    multicall2Provider: calls,
    v2SubgraphProvider: answering(asked.v2.map(onV2)),
    v3SubgraphProvider: answering(asked.v3.map(onV3)),
    v4SubgraphProvider: answering([]),
    onChainQuoteProvider: new OnChainQuoteProvider(
      asked.chainId, provider, calls, { retries: 2, minTimeout: 100, maxTimeout: 1000 },
      () => ({ multicallChunk: 30, gasLimitPerCall: 705000, quoteMinSuccessRate: 0.15 }),
      () => ({ gasLimitOverride: 2000000, multicallChunk: 10 }),
      () => ({ gasLimitOverride: 2000000, multicallChunk: 10 }),
      () => ({ baseBlockOffset: 0, rollback: { enabled: false } }),
      (isMixed) => (isMixed ? asked.mixedQuoter : asked.quoter),
    ),
    tokenProvider: { getTokens: async () => known },
    blockedTokenListProvider: { hasTokenByAddress: async () => false, getTokenByAddress: async () => undefined, getTokenBySymbol: async () => undefined, hasTokenBySymbol: async () => false },
    tokenValidatorProvider: { validateTokens: async () => ({ getValidationByToken: () => undefined }) },
    tokenPropertiesProvider: { getTokensProperties: async () => ({}) },
    gasPriceProvider: { getGasPrice: async () => ({ gasPriceWei: BigNumber.from(asked.gasPriceWei) }) },
  });
  const answers = [];
  for (const swap of asked.swaps) {
    const [sell, buy] = [tokens.get(swap.sell), tokens.get(swap.buy)];
    const amount = CurrencyAmount.fromRawAmount(sell, swap.amount);
    const took = [];
    let found = null;
    try {
      for (let round = 0; round < asked.rounds; round += 1) {
        const started = process.hrtime.bigint();
        found = await router.route(amount, buy, TradeType.EXACT_INPUT, undefined, {
          protocols: [Protocol.V2, Protocol.V3, Protocol.MIXED],
        });
        took.push(Number(process.hrtime.bigint() - started) / 1e6);
      }
    } catch (error) {
      answers.push({ failed: error.message });
      continue;
    }
    answers.push(found === null ? { failed: "it finds no way" } : {
      out: found.quote.quotient.toString(),
      gas: found.estimatedGasUsed.toString(),
      milliseconds: took,
      shares: found.route.map((each) => ({
        amount: each.amount.quotient.toString(),
        pools: each.poolIdentifiers.map((address) => address.toLowerCase()),
      })),
    });
  }
  process.stdout.write(JSON.stringify(answers));
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
