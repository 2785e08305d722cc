/**
 * Makes faults: each kind at its own rate, some aimed at the moments that break protocols (a fresh leader, a joint
 * configuration, a snapshot about to be stored).
 *
 * The model (`docs/RAFT.md`): messages may be lost, doubled, reordered and late; processes stop, pause and restart; clocks
 * run at different rates within the assumed bound; disks tear what was not synced, and **one disk at a time** may lose
 * entries or everything. A second damaged disk before the first is mended can take the last copy of a committed entry, which
 * no protocol survives; that the cluster then stops rather than forgets is shown by directed scenarios. An **old image** of a
 * disk is put back only in a calm cluster whose leader reaches the node before it can be asked for a vote: a voter that
 * has forgotten a vote or an acknowledgement, and is asked before anybody tells it, cannot know better.
 */
import { encodeNumber } from "../../src/core/Configurations.ts"
import { damageOf } from "./damage.ts"
import { Members } from "./Members.ts"
import { type FaultClock, NetworkFaults } from "./NetworkFaults.ts"
import type { FaultRates } from "./Options.ts"
import type { SeededRandom } from "./Random.ts"
import type { SimNode } from "./SimNode.ts"
import type { Opportunity, World } from "./World.ts"

export class Nemesis implements FaultClock {
  private readonly world: World
  private readonly random: SeededRandom
  private readonly network: NetworkFaults
  private readonly members: Members
  /** One election timeout in microseconds: faults last some fractions or multiples of it. */
  readonly unit: number
  active = true
  /** The last fault with a duration ends at this time. */
  private disturbedUntil = 0
  /** Until this time no fault may strike. */
  private calmUntil = 0

  constructor(world: World) {
    this.world = world
    this.random = world.random.fork("nemesis")
    this.network = new NetworkFaults(world, this.random, this)
    this.members = new Members(world, this.random.fork("members"))
    this.unit = world.options.tickMicros * (world.options.limits.electionTicks ?? 10)
  }

  start(): void {
    const { faults } = this.world.options
    for (const kind of Object.keys(faults) as Array<keyof FaultRates>)
      if (faults[kind] > 0) this.schedule(kind, faults[kind])
    this.world.opportunity = (kind, node) => this.aim(kind, node)
    this.world.ended = (node) => this.ended(node)
  }

  /** Faults of a kind as a Poisson process with so many in ten seconds. */
  private schedule(kind: keyof FaultRates, rate: number): void {
    const wait = (-Math.log(1 - this.random.fraction()) * 10_000_000) / rate
    this.world.kernel.after(wait, () => {
      if (!this.active) return
      if (this.world.kernel.now >= this.calmUntil) this.strike(kind)
      this.schedule(kind, rate)
    })
  }

  private strike(kind: keyof FaultRates): void {
    const victim = this.victim()
    switch (kind) {
      case "partition":
        return this.network.partition(victim) ? this.spoilLater(victim) : undefined
      case "flap":
        return this.network.flap(victim)
      case "slowLink":
      case "clog":
        return this.network.link(kind)
      case "crash":
        if (this.random.chance(0.1)) return this.powerCut()
        return this.random.chance(0.15) ? this.crashLoop(victim) : this.crash(victim)
      case "pause":
        return this.pause(victim)
      case "clock":
        return this.clock(victim)
      case "diskSlow":
      case "diskHang":
      case "diskFail":
        return this.disk(kind, victim)
      case "damage":
        return this.damage(victim)
      case "diskLost":
        return this.members.loseDisk(victim, () => this.downtime())
      case "diskRolledBack":
        return this.rollBack(victim)
      case "membership":
        return this.members.change()
      case "transfer":
        return this.transfer(victim)
      case "version":
        return this.version(victim)
      case "compact":
      case "campaign":
      case "stop":
        return this.operate(kind, victim)
    }
  }

  /** Often the leader, where faults cost most; else any machine. */
  private victim(): SimNode {
    const leader = this.world.leader()
    if (leader !== undefined && this.random.chance(0.4)) return leader
    return this.random.pick(this.world.nodes)
  }

  duration(least: number, most: number): number {
    const micros = this.unit * (least + this.random.fraction() * (most - least))
    this.disturbedUntil = Math.max(this.disturbedUntil, this.world.kernel.now + micros)
    return micros
  }

  private downtime(): number {
    return this.duration(0.05, 4)
  }

  /** Strikes soon after something delicate began, at the node in question or at another one. */
  private aim(kind: Opportunity, node: SimNode): void {
    const { now } = this.world.kernel
    if (!this.active || now < this.calmUntil || !this.random.chance(this.world.options.aim)) return
    const target = this.random.chance(0.6) ? node : this.random.pick(this.world.nodes)
    const delay = this.random.chance(0.3) ? 0 : this.random.below(this.unit)
    this.world.kernel.after(delay, () => {
      if (!this.active || target.driver === undefined || this.world.kernel.now < this.calmUntil) return
      const names = {
        freshLeader: "aimedAtFreshLeader",
        membershipChange: "aimedAtMembershipChange",
        compaction: "aimedAtCompaction"
      } as const
      this.world.fault(names[kind], target.id, () => `${delay} us after ${node.id}'s ${kind}`)
      const { faults } = this.world.options
      const possible: Array<() => void> = []
      if (faults.crash > 0)
        possible.push(
          () => this.crash(target),
          () => this.powerCut()
        )
      if (faults.pause > 0) possible.push(() => this.pause(target))
      if (faults.partition > 0)
        possible.push(
          () => (this.network.cutOff(target) ? this.spoilLater(target) : undefined),
          () => this.network.splitChange(node)
        )
      if (faults.transfer > 0) possible.push(() => this.transfer(target))
      if (faults.diskHang > 0) possible.push(() => this.disk("diskHang", target))
      if (faults.membership > 0) possible.push(() => this.members.change())
      if (possible.length > 0) this.random.pick(possible)()
    })
  }

  private crash(victim: SimNode, down = this.downtime()): void {
    if (!victim.up) return
    victim.crash()
    this.restartAfter(victim, down)
  }

  /** A process that dies soon after every start: what belongs to one of its lives comes back in another. */
  private crashLoop(victim: SimNode): void {
    this.world.fault("crashLoop", victim.id, () => "")
    let at = 0
    for (let i = this.random.between(2, 4); i > 0; i--) {
      this.world.kernel.after(at, () => {
        if (this.active) this.crash(victim, this.unit * 0.02)
      })
      at += this.unit * (0.1 + this.random.fraction() * 2)
    }
  }

  /** Every machine at once, as when the power goes. */
  private powerCut(longest = 4): void {
    this.world.trace?.(this.world.kernel.now, "network", () => "the power goes")
    for (const node of this.world.nodes) this.crash(node, this.duration(0.05, longest))
  }

  /** Starts a machine again unless it runs by then. */
  restartAfter(victim: SimNode, micros: number): void {
    this.world.kernel.after(micros, () => this.restart(victim))
  }

  private restart(victim: SimNode): void {
    if (victim.up || victim.starting) return
    this.world.faults.add("restart")
    victim.start()
  }

  /** Machines that ended by themselves come back after a while. */
  ended(victim: SimNode): void {
    this.restartAfter(victim, this.active ? this.downtime() : this.unit * 0.1)
  }

  private pause(victim: SimNode): void {
    if (!victim.up || victim.paused) return
    this.world.fault("pause", victim.id, () => "")
    victim.pause()
    this.world.kernel.after(this.duration(0.1, 5), () => victim.resume())
  }

  private clock(victim: SimNode): void {
    const { drift } = this.world.options
    if (drift === 0) return
    // The edges of what is allowed find more than the middle.
    const rate = this.random.chance(0.6) ? (this.random.chance(0.5) ? 1 + drift : 1 - drift) : 1
    this.world.fault("clockDrift", victim.id, () => `rate ${rate.toFixed(3)}`)
    victim.setClockRate(rate)
  }

  private disk(kind: "diskSlow" | "diskHang" | "diskFail", victim: SimNode): void {
    const { kernel } = this.world
    if (kind === "diskSlow") {
      victim.disk.slow(this.random.pick([5, 30, 200]))
      kernel.after(this.duration(0.5, 5), () => victim.disk.slow(1))
    } else if (kind === "diskHang") {
      victim.disk.hang(kernel.now + this.duration(0.3, 6))
    } else if (victim.up) {
      victim.disk.failNext(this.random.chance(0.5) ? "sync" : "full")
    }
  }

  private damage(victim: SimNode): void {
    if (!this.members.mayDamage(victim)) return
    const damage = damageOf(victim, this.random)
    if (damage === undefined) return
    this.members.impair(victim)
    this.world.fault(damage.kind, victim.id, () => damage.description)
    if (damage.kind === "entryFlipped" && victim.driver !== undefined && this.random.chance(0.4)) {
      // A scrub finds it while the node runs.
      damage.inflict()
      victim.driver.hint({ _tag: "DamageFound", from: damage.other, to: damage.other })
      return victim.driver.hint({ _tag: "DamageFound", from: damage.from, to: damage.to })
    }
    if (victim.up) victim.crash()
    damage.inflict()
    this.restartAfter(victim, this.downtime())
  }

  /** Before a machine whose log is another one than the others' meets them again, its disk or another one may lose parts. */
  private spoilLater(victim: SimNode): void {
    if (this.world.options.faults.damage === 0 || !this.random.chance(0.5)) return
    this.world.kernel.after(this.unit * (0.8 + this.random.fraction() * 3), () => {
      if (!this.active || this.world.kernel.now < this.calmUntil) return
      this.damage(this.random.chance(0.5) ? victim : this.random.pick(this.world.nodes))
      if (this.world.options.faults.crash === 0 || this.random.chance(0.5)) return
      // And the power goes, everywhere: nobody leads when they come back, and who lacks something has to ask around.
      this.network.heal()
      this.powerCut(1)
    })
  }

  /** Keeps an image of a disk and puts it back later, in a calm that lasts until the node knows what it has lost. */
  private rollBack(victim: SimNode): void {
    const { kernel, network } = this.world
    victim.disk.keepBackup()
    const wait = this.unit * (0.5 + this.random.fraction() * 8)
    kernel.after(wait, () => {
      if (!this.active || kernel.now < this.calmUntil) return
      this.calmUntil = Math.max(kernel.now, this.disturbedUntil) + 4 * this.unit
      kernel.at(this.calmUntil - this.unit, () => {
        const leader = this.world.leader()
        const stable = leader !== undefined && leader !== victim && this.network.whole && !victim.paused
        if (!this.active || !stable || !victim.up || !this.members.mayLose(victim)) return
        this.calmUntil = kernel.now + 12 * this.unit
        network.calm = true
        kernel.at(this.calmUntil, () => {
          network.calm = false
        })
        victim.crash()
        this.members.rollBack(victim)
        this.restartAfter(victim, this.unit * 0.2)
      })
    })
  }

  private transfer(victim: SimNode): void {
    const leader = this.world.leader()
    if (leader?.driver === undefined || leader.paused) return
    this.world.fault("leaderTransferred", leader.id, () => `to ${victim.id}`)
    // Now and then somebody asks a node that does not lead.
    const asked = this.random.chance(0.1) && victim.driver !== undefined ? victim.driver : leader.driver
    asked.transfer(this.random.chance(0.3) ? undefined : victim.id, ({ _tag }) =>
      this.world.transitions.add(`transfer ${_tag}`)
    )
  }

  /** A rolling upgrade: machines get the next program one by one; now and then somebody switches to its version. */
  private version(victim: SimNode): void {
    const { options, world } = { options: this.world.options, world: this.world }
    const old = world.nodes.filter((node) => node.supports < options.versionMax)
    if (old.length > 0 && this.random.chance(0.7)) {
      const node = this.random.pick(old)
      node.supports++
      return this.crash(node)
    }
    if (this.random.chance(0.2) && victim.up && victim.supports > 0) {
      world.fault("programTakenBack", victim.id, () => `from ${victim.supports}`)
      victim.supports--
      return this.crash(victim)
    }
    const version = this.random.between(0, options.versionMax)
    world.fault("versionSwitched", victim.id, () => `to ${version}`)
    victim.driver?.propose(
      // Now and then something that is no version at all.
      {
        kind: "version",
        session: 0,
        sequence: 0,
        resolved: 0,
        data: encodeNumber(version).slice(this.random.chance(0.1) ? 3 : 0)
      },
      (outcome) => world.transitions.add(`version ${outcome._tag}`)
    )
  }

  private operate(kind: "compact" | "campaign" | "stop", victim: SimNode): void {
    const { driver } = victim
    if (driver === undefined || victim.paused) return
    if (kind === "campaign") return driver.hint({ _tag: "Campaign" })
    if (kind === "compact") {
      this.world.faults.add("compactionForced")
      return driver.hint({ _tag: "Compact" })
    }
    this.world.trace?.(this.world.kernel.now, victim.id, () => "stops gracefully")
    driver.stop(() => {
      if (victim.driver !== driver) return
      victim.stopped()
      this.restartAfter(victim, this.downtime())
    })
  }

  /** Ends all faults: everybody runs, everything is whole and fast, clocks are true. */
  heal(): void {
    this.active = false
    const { network, nodes } = this.world
    this.network.heal()
    network.heal()
    for (const node of nodes) {
      node.disk.heal()
      node.setClockRate(1)
      node.resume()
      this.restart(node)
    }
    this.world.healed = true
    this.world.trace?.(this.world.kernel.now, "network", () => "all faults end")
  }
}
