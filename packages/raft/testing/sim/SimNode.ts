/**
 * One simulated machine: a disk that stays, and lives of a process that come and go, each with the production driver, the
 * production core, a state machine and a clock of its own rate.
 */
import type { Applied, ApplyContext, StateMachine } from "../../src/core/Surface.ts"
import type { Configuration, Entry, Message, NodeId, Output, RaftEvent, SnapshotMeta } from "../../src/core/Types.ts"
import { defaultLimits } from "../../src/core/Config.ts"
import { decodeMessage, encodeMessage } from "../../src/core/Codec.ts"
import { renderMessage, renderOutput, renderView } from "../../src/core/Render.ts"
import { type Driver, startDriver } from "../../src/Driver.ts"
import type { ObservedNode } from "../Invariants.ts"
import { wrongAnswerToSpoilt } from "./asBytes.ts"
import { hashBytes, Machine } from "./Machine.ts"
import type { SeededRandom } from "./Random.ts"
import { SimDisk } from "./SimDisk.ts"
import type { World } from "./World.ts"

/** Messages that a stopped process's sockets hold for it; later ones are lost. */
const heldMessagesMax = 200

export class SimNode {
  readonly place: number
  readonly disk: SimDisk
  id: NodeId
  driver: Driver | undefined
  machine = new Machine()
  /** This life, as rules see it. */
  observed: ObservedNode | undefined
  paused = false
  /** Code version of the program installed here. */
  supports: number
  /** The current disk is an old image of itself. */
  rolledBack = false
  /** Started, and its disk is still being read. */
  starting = false
  private readonly world: World
  private readonly random: SeededRandom
  private readonly name: string
  private life = 0
  private generation = 0
  /** First configuration of a new cluster, given at every start until the disk holds it. */
  private bootstrap: Configuration | undefined
  private held: Array<() => void> = []
  private heldMessages = 0
  /** Clock: ticks at `clockSince`, and ticks per microsecond since. */
  private clockTicks = 0
  private clockSince = 0
  private clockRate: number
  private lastRole = "follower"

  constructor(world: World, place: number, supports: number) {
    this.world = world
    this.place = place
    this.name = `n${place}`
    this.id = this.name
    this.supports = supports
    this.random = world.random.fork(this.name)
    this.clockRate = 1 / world.options.tickMicros
    this.disk = new SimDisk(
      this.name,
      world.kernel,
      this.random.fork(`${this.name} disk`),
      world.faults,
      world.options.disk,
      world.options.codec
    )
    world.name(this.id, place)
  }

  /** Nothing on the disk is known to be unreadable. */
  get diskWhole(): boolean {
    const { extent, snapshotDamaged } = this.disk.memory.peek()
    return extent.damaged.length === 0 && !snapshotDamaged
  }

  get up(): boolean {
    return this.driver !== undefined
  }

  /** Makes this one of the first nodes of a new cluster. */
  found(bootstrap: Configuration): void {
    this.bootstrap = bootstrap
  }

  /** Starts a life. */
  start(): void {
    const { bootstrap } = this
    const { kernel, options } = this.world
    const life = ++this.life
    this.starting = true
    this.machine = new Machine()
    const storage = this.disk.open()
    const observed = this.observe(life)
    this.observed = observed
    // A new life begins somewhere else on its clock: nothing may depend on clocks of two machines, or lives, agreeing.
    this.clockTicks = this.random.below(10_000)
    this.world.faults.add("clockSkew")
    this.clockSince = kernel.now
    const alive = (): boolean => life === this.life
    startDriver(
      {
        raft: {
          id: this.id,
          seed: this.random.next(),
          limits: options.limits,
          supports: this.supports,
          now: this.clockTicks,
          ...(bootstrap === undefined ? {} : { bootstrap }),
          ...(options.leaseDriftBound === undefined ? {} : { leaseDriftBound: options.leaseDriftBound })
        },
        machine: this.replicated(life, observed),
        net: { send: (message) => this.send(message), flush: () => {} },
        storage,
        clock: { ticks: () => this.ticks() },
        defer: (task) =>
          kernel.after(this.random.below(options.turnMicros), () => {
            if (!alive()) return
            if (this.paused) this.held.push(() => this.turn(life, observed, task))
            else this.turn(life, observed, task)
          }),
        probe: this.probe(life, observed),
        resultsMax: 64
      },
      (driver) => {
        if (!alive()) return driver instanceof Error ? undefined : driver.end()
        this.starting = false
        if (driver instanceof Error) return this.ended(driver)
        this.driver = driver
        this.world.invariants.started(observed)
        this.world.trace?.(kernel.now, this.id, () => `starts, life ${life}: ${this.describe()}`)
        this.timer(life)
      }
    )
  }

  private observe(life: number): ObservedNode {
    const node = this
    const { id, rolledBack } = this
    const { mirror } = this.disk
    const electionTicks = this.world.options.limits.electionTicks ?? defaultLimits.electionTicks
    return {
      id,
      rolledBack,
      durable: mirror,
      get running() {
        return node.driver !== undefined && node.life === life
      },
      get bound() {
        if (node.driver === undefined || node.life !== life) return true
        const { contactAt, role } = node.driver.raft
        return role === "leader" || node.ticks() - contactAt < electionTicks
      },
      get raft() {
        // Rules look at what the last life's disk holds, and never at the core of a life that is over.
        if (node.driver === undefined || node.life !== life) throw new Error(`${id} is not running`)
        return node.driver.raft
      }
    }
  }

  private turn(life: number, observed: ObservedNode, task: () => void): void {
    task()
    const { driver, world } = this
    if (life !== this.life || driver === undefined || driver.ended) return
    try {
      const { raft } = driver
      world.invariants.turn(observed)
      if (raft.role !== this.lastRole) {
        world.transitions.add(`${this.lastRole} -> ${raft.role}`)
        this.lastRole = raft.role
      }
      world.note(world.kernel.now)
      world.note((this.place << 24) ^ (raft.term << 12) ^ raft.lastIndex)
      world.note((raft.commit << 12) ^ raft.applied)
    } catch (error) {
      world.fail(error)
    }
  }

  private timer(life: number): void {
    this.world.kernel.after(1 / this.clockRate, () => {
      if (life !== this.life) return
      const tick = (): void => this.driver?.tick()
      if (this.paused) this.held.push(tick)
      else tick()
      this.timer(life)
    })
  }

  private ticks(): number {
    return this.clockTicks + (this.world.kernel.now - this.clockSince) * this.clockRate
  }

  /** The clock runs at `rate` times the true speed from now on. */
  setClockRate(rate: number): void {
    this.clockTicks = this.ticks()
    this.clockSince = this.world.kernel.now
    this.clockRate = rate / this.world.options.tickMicros
  }

  private replicated(life: number, observed: ObservedNode): StateMachine {
    const { machine, world } = this
    return {
      apply: (bytes: Uint8Array, context: ApplyContext) =>
        machine.apply(bytes, context, (command) => {
          if (life !== this.life) return
          try {
            world.invariants.executed(observed, command, context.index)
          } catch (error) {
            // Thrown on, it would be a command that fails.
            world.fail(error)
          }
        }),
      snapshot: () => machine.snapshot(),
      restore: (bytes) => machine.restore(bytes)
    }
  }

  private probe(life: number, observed: ObservedNode) {
    const { world } = this
    const { invariants, kernel, trace } = world
    return {
      ready: (output: Output) => {
        invariants.ready(observed, output)
        if (output.snapshotWanted > 0) world.opportunity("compaction", this)
        if (trace !== undefined) {
          // Messages have their own lines; the object is reused, so its text is made now.
          const rest = renderOutput({ ...output, messages: [] })
          for (const line of rest) trace(kernel.now, this.id, () => line)
        }
      },
      applied: (entry: Entry, applied: Applied) => {
        invariants.applied(observed, entry.index, this.machine.chain)
        world.transitions.add(`applied ${entry.kind} ${applied._tag}`)
        trace?.(kernel.now, this.id, () => `applied ${entry.index}: ${applied._tag}`)
      },
      restored: (index: number) => {
        invariants.restored(observed, index, this.machine.chain)
        world.transitions.add("restored from a snapshot")
      },
      saving: ({ index }: SnapshotMeta, bytes: Uint8Array) => {
        invariants.snapshotMade(observed, index, hashBytes(0, bytes))
      },
      event: (event: RaftEvent) => this.event(observed, event),
      fatal: (error: unknown) => {
        if (life === this.life) this.ended(error)
      }
    }
  }

  private event(observed: ObservedNode, event: RaftEvent): void {
    const { world } = this
    world.invariants.event(observed, event)
    world.transitions.add(event._tag)
    if (event._tag === "RoleChanged" && event.role === "leader") world.opportunity("freshLeader", this)
    if (event._tag === "ConfigurationChanged") {
      if (event.configuration.outgoing.length > 0) {
        world.transitions.add("joint configuration")
        world.opportunity("membershipChange", this)
      }
    }
  }

  /** The driver gave up: by a disk failure or an old program that is the run's doing, or by a defect that is a finding. */
  private ended(error: unknown): void {
    const { world } = this
    const own = error as { readonly _tag?: unknown; readonly name?: unknown }
    if (own._tag === "DiskFailed") {
      this.disk.failed()
      world.trace?.(world.kernel.now, this.id, () => `ends: its disk has failed: ${this.describe()}`)
    } else if (error instanceof Error && error.name === "VersionUnsupported") {
      world.transitions.add("ended by an unsupported version")
      this.supports = world.options.versionMax
    } else {
      world.fail(error)
    }
    this.halt()
    world.ended(this)
  }

  /** The process has ended of its own will (a graceful stop). */
  stopped(): void {
    this.halt()
  }

  private halt(): void {
    this.life++
    this.held = []
    this.heldMessages = 0
    this.paused = false
    this.starting = false
    this.lastRole = "follower"
    const { driver } = this
    this.driver = undefined
    driver?.end()
    this.disk.crash()
  }

  /** The process dies; its disk keeps what was durable and perhaps more. */
  crash(): void {
    const { id, world } = this
    world.fault("crash", id, () => `${this.disk.pending} calls in flight; ${this.describe()}`)
    this.halt()
    // Its connections break, which some peers notice.
    for (const node of world.nodes) {
      if (!node.up || node.paused || !this.random.chance(0.3)) continue
      world.faults.add("connectionReset")
      node.driver?.hint({ _tag: "Unreachable", peer: id })
    }
  }

  /** The process is stopped; its machine's clock goes on, messages wait in its sockets. */
  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    const { held } = this
    this.held = []
    this.heldMessages = 0
    for (const task of held) task()
  }

  /** Runs something in the node's process: now, or when it is running again; never if the process ends first. */
  whenRunning(task: () => void): void {
    if (this.paused) this.held.push(task)
    else task()
  }

  /** Another machine of the same place: empty disk, new name. The old name never comes back. */
  replaceIdentity(): void {
    this.disk.wipe()
    this.generation++
    this.bootstrap = undefined
    this.id = `${this.name}.${this.generation}`
    this.rolledBack = false
    this.world.name(this.id, this.place)
  }

  private describe(): string {
    return this.driver === undefined ? "not running" : renderView(this.driver.raft.snapshot()).join("; ")
  }

  private send(message: Message): void {
    const { world } = this
    world.messages.add(message._tag)
    const to = world.placeOf(message.to)
    if (to < 0) return
    world.trace?.(world.kernel.now, this.id, () => `-> ${renderMessage(message)}`)
    if (!world.options.codec) return world.network.send(this.place, to, message)
    const bytes = encodeMessage(message)
    if (!world.healed && !world.network.calm && this.random.chance(world.options.spoilt)) {
      world.faults.add("messageSpoilt")
      const wrong = wrongAnswerToSpoilt(bytes, this.random)
      return wrong === undefined ? undefined : world.fail(wrong)
    }
    world.network.send(this.place, to, decodeMessage(bytes))
  }

  receive(message: Message): void {
    const { driver, world } = this
    // What was sent to an earlier name of this place arrives too: the core refuses it.
    if (driver === undefined) return
    if (this.paused) {
      if (this.heldMessages++ < heldMessagesMax) this.held.push(() => this.driver?.receive(message))
      return
    }
    world.trace?.(world.kernel.now, this.id, () => `<- ${message.from} ${message._tag} of term ${message.term}`)
    driver.receive(message)
  }
}
