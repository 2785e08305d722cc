/**
 * Faults of the network, by the shapes of `Partitions.ts`: splits, machines that are cut off (and, if they lead, flooded by
 * clients that do not know), flapping, slow and clogged links, and the line along which a change of members can break.
 */
import { encodeCommand } from "./Machine.ts"
import { alongChange, bridge, isolate, oneWay, type Partition, ring, split } from "./Partitions.ts"
import type { SeededRandom } from "./Random.ts"
import type { SimNode } from "./SimNode.ts"
import type { World } from "./World.ts"

/** What the faults of the network need of whoever makes all faults. */
export interface FaultClock {
  /** One election timeout in microseconds. */
  readonly unit: number
  /** False once all faults are over. */
  readonly active: boolean
  /** Draws how long a fault lasts, between so many election timeouts; in microseconds. */
  duration(least: number, most: number): number
}

export class NetworkFaults {
  private readonly world: World
  private readonly random: SeededRandom
  private readonly clock: FaultClock
  private readonly partitions = new Set<Partition>()

  constructor(world: World, random: SeededRandom, clock: FaultClock) {
    this.world = world
    this.random = random
    this.clock = clock
  }

  /** No partition is in force. */
  get whole(): boolean {
    return this.partitions.size === 0
  }

  /** Takes all partitions back. */
  heal(): void {
    for (const partition of this.partitions) partition.heal()
    this.partitions.clear()
  }

  private places(): ReadonlyArray<number> {
    return this.world.nodes.map(({ place }) => place)
  }

  /** One of all shapes. True if it cut a leader off that went on writing. */
  partition(victim: SimNode): boolean {
    const { network } = this.world
    const places = this.places()
    const shape = this.random.below(6)
    if (shape === 0) return this.cutOff(victim)
    if (shape === 1) this.impose(oneWay(network, places, this.random, victim.place))
    else if (shape === 2) this.impose(ring(network, places, this.random))
    else if (shape === 3) this.impose(bridge(network, places, this.random))
    else this.impose(split(network, places, this.random))
    return false
  }

  /**
   * One machine alone. If it leads, clients may go on asking it: it writes a tail that nobody else has and that has to give
   * way later. True if so.
   */
  cutOff(victim: SimNode): boolean {
    this.impose(isolate(this.world.network, this.places(), victim.place))
    const { driver } = victim
    if (driver?.raft.role !== "leader" || !this.random.chance(0.5)) return false
    this.world.fault("cutOffLeaderFlooded", victim.id, () => "")
    for (let i = this.random.pick([2, 5, 20]); i > 0; i--) {
      this.world.kernel.after(this.random.below(this.clock.unit * 0.8), () => {
        const data = encodeCommand({ op: "read", key: 0, value: 0, expected: 0, id: 0 }, this.random.below(8))
        if (victim.driver === driver && !victim.paused)
          driver.propose({ kind: "command", session: 0, sequence: 0, resolved: 0, data }, () => {})
      })
    }
    return true
  }

  /** Those who vote in the old set alone are cut off from everybody else. */
  splitChange({ driver, place }: SimNode): void {
    if (driver === undefined) return
    const { outgoing, voters } = driver.raft.configuration.configuration
    const leaving = outgoing.filter((id) => !voters.includes(id)).map((id) => this.world.placeOf(id))
    const old = leaving.filter((other) => other >= 0 && other !== place)
    const others = this.places().filter((other) => !old.includes(other))
    const partition = alongChange(this.world.network, old, others)
    if (partition !== undefined) this.impose(partition)
  }

  private impose(partition: Partition, micros = this.clock.duration(0.3, 6)): void {
    this.world.fault(partition.kind, "network", () => partition.description)
    this.partitions.add(partition)
    this.world.kernel.after(micros, () => {
      if (this.partitions.delete(partition)) {
        partition.heal()
        this.world.trace?.(this.world.kernel.now, "network", () => `healed: ${partition.description}`)
      }
    })
  }

  /** A machine that is cut off and comes back, again and again. */
  flap(victim: SimNode): void {
    this.world.fault("partitionFlapping", "network", () => victim.id)
    for (let i = 0; i < 6; i++) {
      this.world.kernel.after(i * this.clock.unit * 0.7, () => {
        if (this.clock.active)
          this.impose(isolate(this.world.network, this.places(), victim.place), this.clock.unit * 0.4)
      })
    }
  }

  link(kind: "slowLink" | "clog"): void {
    const { kernel, network } = this.world
    const [from, to] = this.random.shuffle([...this.places()]) as [number, number]
    const micros = this.clock.duration(0.5, 5)
    this.world.trace?.(kernel.now, "network", () => `${kind} ${from} -> ${to} for ${Math.round(micros / 1000)} ms`)
    if (kind === "clog") return network.clog(from, to, kernel.now + micros)
    network.slow(from, to, Math.floor(this.clock.duration(0.02, 0.6)))
    kernel.after(micros, () => network.slow(from, to, 0))
  }
}
