// Reads balances with viem's multicall, once for each line of input, for scripts/bench/snapshot.py.
//
//     node viem_snapshot.mjs  <  one line of JSON {sites, account, batchSize}, then empty lines
//
// Answers each empty line with one line of JSON: milliseconds, milliseconds of CPU, balances by
// chain. What is measured is the reading alone: no start, no import, no printing. Connections are
// kept, and a client keeps its compiled code, as in a program that runs on.

import { createInterface } from 'node:readline'
import { createPublicClient, http, parseAbi } from 'viem'

const erc20 = parseAbi(['function balanceOf(address) view returns (uint256)'])
const multicall3 = parseAbi(['function getEthBalance(address) view returns (uint256)'])

function reader({ chain, url, multicall3: address, tokens }, account, batchSize) {
  const client = createPublicClient({
    chain: {
      id: chain,
      name: 'local',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [url] } },
      contracts: { multicall3: { address } },
    },
    transport: http(url),
  })
  const contracts = [
    { address, abi: multicall3, functionName: 'getEthBalance', args: [account] },
    ...tokens.map((token) => ({
      address: token, abi: erc20, functionName: 'balanceOf', args: [account],
    })),
  ]
  const settings = batchSize === null ? {} : { batchSize }
  return () => client.multicall({ contracts, ...settings })
}

let readers = null
for await (const line of createInterface({ input: process.stdin })) {
  if (readers === null) {
    const { sites, account, batchSize } = JSON.parse(line)
    readers = sites.map((site) => reader(site, account, batchSize))
    console.log('ready')
    continue
  }
  const wall = performance.now()
  const cpu = process.cpuUsage()
  const answers = await Promise.all(readers.map((read) => read()))
  const took = performance.now() - wall
  const { user, system } = process.cpuUsage(cpu)
  const balances = answers.map((chain) => chain.map(({ result }) => String(result)))
  console.log(JSON.stringify({ wall_ms: took, cpu_ms: (user + system) / 1000, balances }))
}
