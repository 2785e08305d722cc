/**
 * A simulated network between numbered places: loss, doubling, reordering, delay, slow and clogged links, and blocks of
 * single directions, from which every shape of partition is made (split, one-way, ring, bridge, isolation).
 *
 * Messages travel as the objects that were sent: the protocol core must not change a message after it left, and a
 * doubled message is one object delivered twice, so a core that does is found.
 */
import type { Kernel } from "./Kernel.ts"
import type { SeededRandom } from "./Random.ts"
import type { FaultKind, Tally } from "./Tally.ts"

/** How the links behave; times in microseconds, probabilities per message. */
export interface NetworkOptions {
  readonly delayMinMicros: number
  readonly delayMaxMicros: number
  readonly loss: number
  readonly doubling: number
  /** Probability that a message may be overtaken; otherwise a link keeps its order, as one TCP connection does. */
  readonly reordering: number
  /** Probability that a message comes very late, long after its term is over, and how late at most. */
  readonly stragglers: number
  readonly stragglerMaxMicros: number
}

/** What the receiving side does with a message that arrives. */
export type Deliver<M> = (to: number, from: number, message: M) => void

export class Network<M> {
  private readonly kernel: Kernel
  private readonly random: SeededRandom
  private readonly tally: Tally
  private readonly places: number
  private readonly deliver: Deliver<M>
  /** How many partitions block the direction `from * places + to`. */
  private readonly blocks: Uint16Array
  /** Extra delay of a direction in microseconds. */
  private readonly slowness: Float64Array
  /** Until when a direction holds everything back (FoundationDB's clogging). */
  private readonly cloggedUntil: Float64Array
  private readonly lastArrival: Float64Array
  private options: NetworkOptions
  /** While true nothing is lost or doubled. */
  calm = false

  constructor(
    kernel: Kernel,
    random: SeededRandom,
    tally: Tally,
    places: number,
    options: NetworkOptions,
    deliver: Deliver<M>
  ) {
    this.kernel = kernel
    this.random = random
    this.tally = tally
    this.places = places
    this.options = options
    this.deliver = deliver
    this.blocks = new Uint16Array(places * places)
    this.slowness = new Float64Array(places * places)
    this.cloggedUntil = new Float64Array(places * places)
    this.lastArrival = new Float64Array(places * places)
  }

  /** Sends a message; it may arrive never, once or twice. */
  send(from: number, to: number, message: M): void {
    const { options, random } = this
    if (!this.calm && random.chance(options.loss)) return this.count("messageLost")
    this.launch(from, to, message)
    if (!this.calm && random.chance(options.doubling)) {
      this.count("messageDoubled")
      this.launch(from, to, message)
    }
  }

  private launch(from: number, to: number, message: M): void {
    const { kernel, options, random } = this
    const link = from * this.places + to
    let arrival = kernel.now + random.between(options.delayMinMicros, options.delayMaxMicros)
    const slow = this.slowness[link] as number
    if (slow > 0) {
      arrival += random.below(slow)
      this.count("linkSlow")
    }
    if ((this.cloggedUntil[link] as number) > arrival) {
      arrival = this.cloggedUntil[link] as number
      this.count("linkClogged")
    }
    if (!this.calm && random.chance(options.stragglers)) {
      this.count("messageStraggled")
      return this.arrive(arrival + random.below(options.stragglerMaxMicros), from, to, message)
    }
    const last = this.lastArrival[link] as number
    if (arrival < last) {
      if (random.chance(options.reordering)) this.count("messageReordered")
      else arrival = last
    }
    if (arrival > last) this.lastArrival[link] = arrival
    this.arrive(arrival, from, to, message)
  }

  private arrive(arrival: number, from: number, to: number, message: M): void {
    this.kernel.at(arrival, () => {
      // A partition cuts what is in flight too: the connection breaks.
      if (this.isBlocked(from, to)) return this.count("messageBlocked")
      this.deliver(to, from, message)
    })
  }

  private count(kind: FaultKind): void {
    this.tally.add(kind)
  }

  /** Blocks one direction; blocks are counted, so overlapping partitions heal one by one. */
  block(from: number, to: number): void {
    const link = from * this.places + to
    this.blocks[link] = (this.blocks[link] as number) + 1
  }

  unblock(from: number, to: number): void {
    const link = from * this.places + to
    if ((this.blocks[link] as number) > 0) this.blocks[link] = (this.blocks[link] as number) - 1
  }

  /** True when nothing passes in this direction. */
  isBlocked(from: number, to: number): boolean {
    return (this.blocks[from * this.places + to] as number) > 0
  }

  /** Gives a direction an extra delay of up to so many microseconds; 0 takes it away. */
  slow(from: number, to: number, extraMicros: number): void {
    this.slowness[from * this.places + to] = extraMicros
  }

  /** Holds everything of a direction back until a time. */
  clog(from: number, to: number, untilMicros: number): void {
    this.cloggedUntil[from * this.places + to] = untilMicros
  }

  /** Ends every fault: links are whole, fast and in order from now on. */
  heal(): void {
    this.blocks.fill(0)
    this.slowness.fill(0)
    this.cloggedUntil.fill(0)
    this.lastArrival.fill(0)
    const { delayMinMicros } = this.options
    this.options = {
      delayMinMicros,
      delayMaxMicros: Math.min(this.options.delayMaxMicros, delayMinMicros * 4),
      loss: 0,
      doubling: 0,
      reordering: 0,
      stragglers: 0,
      stragglerMaxMicros: 0
    }
  }
}
