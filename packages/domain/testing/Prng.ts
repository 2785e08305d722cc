/**
 * Seeded randomness for tests: small, fast, the same on every machine. Pure but for its own state (sfc32 seeded by
 * splitmix32). A test prints its seed; `WEFT_SEED=n` replays it.
 */

/** A stream of pseudo-random draws. Two streams of one seed give the same draws in the same order. */
export class Prng {
  /** What it was made from: print it. */
  readonly seed: number
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    this.seed = seed >>> 0
    let s = this.seed
    const split = () => {
      s = (s + 0x9e3779b9) | 0
      let t = s ^ (s >>> 16)
      t = Math.imul(t, 0x21f0aaad)
      t ^= t >>> 15
      t = Math.imul(t, 0x735a2d97)
      return t ^ (t >>> 15)
    }
    this.#a = split()
    this.#b = split()
    this.#c = split()
    this.#d = split()
  }

  /** 0 to 2^32 - 1. */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }

  /** 0 (included) to 1 (excluded). */
  unit(): number {
    return this.uint32() / 2 ** 32
  }

  /** An integer of 0 to `count - 1`. */
  below(count: number): number {
    return Math.floor(this.unit() * count)
  }

  /** An integer of `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True with the given probability (0 to 1). */
  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** One of the items. Throws `RangeError` when there is none. */
  pick<A>(items: ReadonlyArray<A>): A {
    if (items.length === 0) throw new RangeError("pick from no items")
    return items[this.below(items.length)]!
  }

  /** A new array with the items in random order. */
  shuffle<A>(items: ReadonlyArray<A>): Array<A> {
    const out = items.slice()
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const t = out[i]!
      out[i] = out[j]!
      out[j] = t
    }
    return out
  }

  /** An independent stream derived from this one: later draws of either do not move the other. */
  fork(): Prng {
    return new Prng(this.uint32())
  }
}

/** A stream from a seed. */
export const make = (seed: number): Prng => new Prng(seed)
