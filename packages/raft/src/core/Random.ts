/** A small deterministic generator (mulberry32): its state is part of the node's state, so the core stays a function. */

export interface Random {
  state: number
}

export const makeRandom = (seed: number): Random => ({ state: seed >>> 0 })

/** Next number in [0, 1). */
export const draw = (random: Random): number => {
  random.state = (random.state + 0x6d2b79f5) >>> 0
  let x = random.state
  x = Math.imul(x ^ (x >>> 15), x | 1)
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
  return ((x ^ (x >>> 14)) >>> 0) / 4294967296
}
