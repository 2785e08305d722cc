/** Random numbers from a seed (mulberry32), so that what a run did at random can be done again. Pure but for its state. */

/** A whole number from 0 to `below`, excluded. */
export type Draw = (below: number) => number

export const drawing = (seed: number): Draw => {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
}
