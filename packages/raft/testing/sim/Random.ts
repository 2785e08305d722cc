/**
 * Seeded randomness for the simulation: sfc32 (Chris Doty-Humphrey's small fast counter generator, 128 bits of state).
 *
 * Pure in the sense that counts: the same seed and the same calls give the same numbers on every machine, because only
 * 32-bit integer arithmetic is used. One stream per concern (`fork`), so that drawing one number more in the network
 * does not change what the clients do: a run stays recognisable while a bug is narrowed down.
 */

/** Mixes a string into a 32-bit number (FNV-1a); used to name the streams of one seed. */
const hashName = (name: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** A stream of pseudo-random numbers. Mutable; never shared between two concerns. */
export class SeededRandom {
  private a: number
  private b: number
  private c: number
  private counter = 1
  /** The seed of the whole run, kept for `fork` and for messages. */
  readonly seed: number

  constructor(seed: number, name = "root") {
    this.seed = seed
    this.a = seed | 0
    this.b = hashName(name) | 0
    this.c = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
    for (let i = 0; i < 12; i++) this.next()
  }

  /** An independent stream of the same seed. */
  fork(name: string): SeededRandom {
    return new SeededRandom(this.seed, name)
  }

  /** An integer in [0, 2^32). */
  next(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0
    return t >>> 0
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.next() / 4294967296
  }

  /** An integer in [0, bound); 0 for a bound of 0. The bias of the modulo is below 2^-20 for the bounds used here. */
  below(bound: number): number {
    return bound <= 1 ? 0 : this.next() % bound
  }

  /** An integer in [from, to], both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability * 4294967296
  }

  /** One of the items; the array must not be empty. */
  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)] as A
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle<A>(items: Array<A>): Array<A> {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const item = items[i] as A
      items[i] = items[j] as A
      items[j] = item
    }
    return items
  }
}
