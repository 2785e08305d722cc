/**
 * Membership changes of a simulated cluster, and which disks may be spoiled: at most one at a time, so that every committed
 * entry has a whole copy left in every quorum that can be formed. Where the members stay, entries and snapshots of any
 * minority may be spoiled at once (`minorityDamaged`): of a majority that has an entry one has it whole.
 */
import type { NodeId } from "../../src/core/Types.ts"
import { isWhole } from "./damage.ts"
import type { SeededRandom } from "./Random.ts"
import type { SimNode } from "./SimNode.ts"
import type { World } from "./World.ts"

interface Sets {
  readonly voters: ReadonlyArray<NodeId>
  readonly learners: ReadonlyArray<NodeId>
}

export class Members {
  private readonly world: World
  private readonly random: SeededRandom
  /** The machines whose disks may not be whole. */
  private impaired: ReadonlyArray<SimNode> = []
  /** Names that will never run again and may still be members. */
  private readonly gone = new Set<NodeId>()

  constructor(world: World, random: SeededRandom) {
    this.world = world
    this.random = random
  }

  /** All names in force anywhere: a configuration may be in a log that is about to win. */
  private namesInForce(): Set<NodeId> {
    const names = new Set<NodeId>()
    for (const { driver } of this.world.nodes) {
      if (driver === undefined) continue
      const { configuration } = driver.raft.configuration
      for (const id of [...configuration.voters, ...configuration.outgoing]) names.add(id)
    }
    return names
  }

  /** Every configuration that any node knows has at least three voters, in both of its sets. */
  private roomy(): boolean {
    let known = 0
    for (const { driver } of this.world.nodes) {
      if (driver === undefined) return false
      for (const { configuration, index } of driver.raft.snapshot().configurations) {
        // Index 0 stands for the time before the first entry.
        if (index === 0) continue
        if (configuration.voters.length < 3) return false
        if (configuration.outgoing.length > 0 && configuration.outgoing.length < 3) return false
        known++
      }
    }
    return known > 0
  }

  /** The machine's disk may be spoiled now, with as many others that are not whole. */
  mayLose(victim: SimNode, others = 0): boolean {
    this.impaired = this.impaired.filter((node) => !isWhole(node))
    if (this.impaired.filter((node) => node !== victim).length > others) return false
    const inForce = this.namesInForce()
    for (const id of this.gone) if (inForce.has(id)) return false
    return this.roomy()
  }

  /** Entries or a snapshot on the machine's disk may be made unreadable now. */
  mayDamage(victim: SimNode): boolean {
    const { minorityDamaged, nodes } = this.world.options
    return this.mayLose(victim, minorityDamaged ? Math.ceil(nodes / 2) - 2 : 0)
  }

  impair(victim: SimNode): void {
    this.impaired = [...this.impaired.filter((node) => node !== victim), victim]
  }

  /** The disk is gone for good: the machine comes back empty under a new name, and waits to be made a member. */
  loseDisk(victim: SimNode, downtime: () => number): void {
    if (!this.mayLose(victim)) return
    this.world.fault("diskLost", victim.id, () => "comes back under a new name")
    if (victim.up) victim.crash()
    this.gone.add(victim.id)
    this.impaired = []
    victim.replaceIdentity()
    this.world.kernel.after(downtime(), () => {
      if (!victim.up && !victim.starting) victim.start()
    })
  }

  /** An old image of the disk is put back. */
  rollBack(victim: SimNode): void {
    if (!victim.disk.rollBack()) return
    this.impair(victim)
    victim.rolledBack = true
    this.world.fault("diskRolledBack", victim.id, () => "an old image of its disk is put back")
  }

  /** Asks the leader for another set of members; most are near to the present one, some are far from it. */
  change(): void {
    const leader = this.world.leader()
    if (leader?.driver === undefined || leader.paused) return
    const { configuration } = leader.driver.raft.configuration
    const running = this.world.nodes.filter((node) => node.up).map(({ id }) => id)
    const candidates = running.filter((id) => !this.gone.has(id))
    const present = configuration.voters.filter((id) => !this.gone.has(id))
    const voters = this.drawVoters(present, candidates)
    const least = this.impaired.some((node) => !isWhole(node)) ? 3 : 1
    if (voters.length < least) return
    const learners = candidates.filter((id) => !voters.includes(id) && this.random.chance(0.4))
    this.count(configuration.voters, voters, learners)
    const force = this.random.chance(0.1)
    const addresses = this.random.chance(0.3) ? Object.fromEntries(voters.map((id) => [id, `${id}:7000`])) : {}
    const asked = this.random.chance(0.05) ? this.random.pick(this.world.running()).driver : leader.driver
    asked?.changeMembership({ ...this.malformed({ voters, learners }), addresses, force }, (outcome) =>
      this.world.transitions.add(`membership ${outcome._tag}${outcome._tag === "Refused" ? ` ${outcome.reason}` : ""}`)
    )
  }

  /** Now and then what an operator must not ask for: no voters, a learner that is a voter, more members than allowed. */
  private malformed(change: Sets): Sets {
    if (!this.random.chance(0.05)) return change
    const { learners, voters } = change
    const many = Array.from({ length: 70 }, (_, i) => `x${i}`)
    return this.random.pick([
      { voters: [], learners },
      { voters, learners: voters },
      { voters, learners: many }
    ])
  }

  private drawVoters(present: ReadonlyArray<NodeId>, candidates: ReadonlyArray<NodeId>): ReadonlyArray<NodeId> {
    const others = candidates.filter((id) => !present.includes(id))
    const kind = this.random.below(5)
    if (kind === 0) {
      const all = this.random.shuffle([...candidates])
      return all.slice(0, this.random.between(1, all.length))
    }
    const next = this.random.shuffle([...present])
    if (kind <= 2 && others.length > 0) next.push(this.random.pick(others))
    if (kind >= 2 && next.length > 1) next.shift()
    return next
  }

  private count(before: ReadonlyArray<NodeId>, voters: ReadonlyArray<NodeId>, learners: ReadonlyArray<NodeId>): void {
    const { faults, kernel, trace } = this.world
    const added = voters.some((id) => !before.includes(id))
    const removed = before.some((id) => !voters.includes(id) && !learners.includes(id))
    if (added && removed) faults.add("memberReplaced")
    else if (added) faults.add("memberAdded")
    else if (removed) faults.add("memberRemoved")
    if (before.some((id) => !voters.includes(id) && learners.includes(id))) faults.add("memberDemoted")
    trace?.(kernel.now, "operator", () => `wants voters ${voters}, learners ${learners}`)
  }
}
