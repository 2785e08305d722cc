/**
 * One simulated run of a Raft cluster, from one seed: a phase with faults in which nothing wrong may happen, then healing and
 * a phase in which everything right must happen (TigerBeetle's and openraft's two phases).
 *
 * Deterministic: no clock, no randomness and no I/O but those made from the seed, so a seed replays a run exactly, and
 * `digest` of two runs of one seed must agree (the script runs each seed twice).
 */
import type { Configuration } from "../../src/core/Types.ts"
import type { Driver } from "../../src/Driver.ts"
import { Workload } from "./Clients.ts"
import { invariant } from "./invariant.ts"
import { Nemesis } from "./Nemesis.ts"
import { Network } from "./Network.ts"
import { drawOptions, type Overrides, type SimOptions } from "./Options.ts"
import { SimNode } from "./SimNode.ts"
import { type Trace, World } from "./World.ts"

/** What a run was and how it went. */
export interface RunReport {
  readonly seed: number
  readonly options: SimOptions
  /** `undefined`: no rule was broken. */
  readonly failure: { readonly rule: string; readonly message: string; readonly error: unknown } | undefined
  /** Hash over all that happened. */
  readonly digest: number
  readonly steps: number
  readonly simulatedMicros: number
  readonly checks: number
  readonly operations: number
  /** Keys whose history the checker gave up on (its bound is a number of steps). */
  readonly undecided: number
  readonly committed: number
  /** From the end of all faults to a leader that a majority follows, in election timeouts (the longest that is drawn). */
  readonly electionTimeouts: number
  /** From the end of all faults to equal replicas and decided requests, in simulated microseconds. */
  readonly convergenceMicros: number
  readonly faults: Readonly<Record<string, number>>
  readonly messages: Readonly<Record<string, number>>
  readonly transitions: Readonly<Record<string, number>>
}

/** Longest liveness phase in simulated microseconds; what is not decided by then never will be. */
const livenessMaxMicros = 900_000_000

/** Steps of the checker for one history. */
const checkerStepsMax = 300_000

/** Election timeouts within which a healed cluster must have a leader. */
export const leaderTimeoutsMax = 5

class Simulation {
  readonly world: World
  private readonly workload: Workload
  private readonly nemesis: Nemesis
  /** The longest election timeout that a node can draw. */
  private readonly timeoutMicros: number
  electionTimeouts = 0
  convergenceMicros = 0
  operations = 0
  undecided = 0

  constructor(options: SimOptions, trace: Trace | undefined) {
    this.world = new World(options, trace)
    const { kernel, nodes, random } = this.world
    const places = options.nodes + options.spares
    const network = new Network<Parameters<SimNode["receive"]>[0]>(
      kernel,
      random.fork("network"),
      this.world.faults,
      places,
      options.network,
      (to, _from, message) => nodes[to]?.receive(message)
    )
    this.world.network = network
    const supports = options.faults.version > 0 ? 0 : options.versionMax
    for (let place = 0; place < places; place++) nodes.push(new SimNode(this.world, place, supports))
    this.workload = new Workload(this.world)
    this.nemesis = new Nemesis(this.world)
    this.timeoutMicros = 2 * (options.limits.electionTicks ?? 10) * options.tickMicros
  }

  run(): void {
    const { kernel, nodes, options } = this.world
    const voters = nodes.slice(0, options.nodes).map(({ id }) => id)
    const bootstrap: Configuration = { voters, outgoing: [], learners: [], learnersNext: [], addresses: {} }
    for (const node of nodes.slice(0, options.nodes)) node.found(bootstrap)
    for (const node of nodes) node.start()
    this.workload.start()
    this.nemesis.start()
    this.advance(options.safetyMicros)
    this.nemesis.heal()
    this.workload.open = false
    const healedAt = kernel.now
    this.awaitLeader(healedAt)
    for (const client of this.workload.clients) client.make()
    this.converge(healedAt)
    const { operations, undecided } = this.workload.histories.judge(checkerStepsMax)
    this.operations = operations
    this.undecided = undecided
  }

  /** Runs the agenda up to a time, ending at the first failure. */
  private advance(until: number): void {
    const { world } = this
    while (world.kernel.step(until)) if (world.failure !== undefined) throw world.failure
    world.kernel.run(until)
    if (world.failure !== undefined) throw world.failure
  }

  private awaitLeader(healedAt: number): void {
    const { kernel } = this.world
    const step = Math.max(1, Math.floor(this.timeoutMicros / 20))
    while (!this.hasLeader()) {
      const passed = (kernel.now - healedAt) / this.timeoutMicros
      invariant(
        passed <= leaderTimeoutsMax,
        `after healing there is a leader within ${leaderTimeoutsMax} election timeouts`,
        () => `${passed.toFixed(1)} have passed: ${this.picture()}`
      )
      this.advance(kernel.now + step)
    }
    this.electionTimeouts = (kernel.now - healedAt) / this.timeoutMicros
  }

  /** Somebody leads, and a majority of every set of voters follows. */
  private hasLeader(): boolean {
    const leader = this.world.leader()
    const raft = leader?.driver?.raft
    if (raft === undefined) return false
    const { outgoing, voters } = raft.configuration.configuration
    const follows = (id: string): boolean => {
      const other = this.world.find(id)?.driver?.raft
      return other !== undefined && other.leader === raft.id && other.term === raft.term
    }
    return [voters, outgoing].every((set) => set.length === 0 || set.filter(follows).length * 2 > set.length)
  }

  private converge(healedAt: number): void {
    const { kernel } = this.world
    while (!this.converged()) {
      invariant(
        kernel.now - healedAt < livenessMaxMicros,
        "after healing all requests are decided and all replicas are equal",
        () => `${this.workload.waiting} requests wait: ${this.picture()}`
      )
      this.advance(kernel.now + this.timeoutMicros / 2)
    }
    this.convergenceMicros = kernel.now - healedAt
  }

  /** Every member has applied all that is committed, in the same state, and no request is open. */
  private converged(): boolean {
    const leader = this.world.leader()
    if (leader?.driver === undefined || this.workload.waiting > 0) return false
    const { raft } = leader.driver
    const { configuration } = raft.configuration
    if (configuration.outgoing.length > 0 || raft.commit !== raft.lastIndex) return false
    for (const id of [...configuration.voters, ...configuration.learners]) {
      const node = this.world.find(id)
      // A machine that lost its disk has another name now; its old one may stay a member until somebody removes it.
      if (node === undefined) continue
      const other = node.driver
      if (other === undefined || other.raft.applied !== raft.commit) return false
      const { damaged, diskHung, failed } = other.raft.snapshot()
      if (damaged.length > 0 || diskHung || failed || !node.diskWhole) return false
      this.compare(leader, node)
    }
    return true
  }

  /** Two replicas that have applied the same: state, sessions, versions and every entry that both still hold. */
  private compare(leader: SimNode, node: SimNode): void {
    const [a, b] = [leader.driver as Driver, node.driver as Driver]
    const rule = "after healing all replicas are equal"
    const places = (): string => `${node.id} and ${leader.id} at ${a.raft.commit}`
    invariant(node.machine.chain === leader.machine.chain, rule, places)
    const { replica } = b
    invariant(
      replica.applied === a.replica.applied &&
        replica.version === a.replica.version &&
        replica.sessions === a.replica.sessions,
      rule,
      places
    )
    const from = Math.max(a.raft.firstIndex, b.raft.firstIndex)
    if (from > a.raft.lastIndex) return
    for (const entry of b.raft.entries(from, Math.min(b.raft.durableIndex, a.raft.lastIndex))) {
      invariant(a.raft.entry(entry.index)?.term === entry.term, rule, () => `${places()}, entry ${entry.index}`)
    }
  }

  /** One line per node, for messages of liveness failures. */
  private picture(): string {
    return this.world.nodes
      .map(({ driver, id, paused }) => {
        if (driver === undefined) return `${id} down`
        const { applied, commit, configuration, durableIndex, lastIndex, recoverTo, role, term } =
          driver.raft.snapshot()
        const { outgoing, voters } = configuration.configuration
        return `${id}${paused ? " paused" : ""} ${role} term ${term} last ${lastIndex} durable ${durableIndex} commit ${commit} applied ${applied} recoverTo ${recoverTo} voters ${voters}/${outgoing}`
      })
      .join("; ")
  }
}

/** Runs one seed. Never throws for a broken rule: the report carries it. */
export const simulate = (seed: number, overrides: Overrides = {}, trace?: Trace): RunReport => {
  const options = drawOptions(seed, overrides)
  const simulation = new Simulation(options, trace)
  const { world } = simulation
  let failure: RunReport["failure"]
  try {
    simulation.run()
  } catch (error) {
    const { message, name, rule } = error as { rule?: string; message?: string; name?: string }
    failure = { rule: rule ?? name ?? "error", message: message ?? String(error), error }
    trace?.(world.kernel.now, "FAILED", () => failure?.message ?? "")
  }
  return {
    seed,
    options,
    failure,
    digest: world.digest >>> 0,
    steps: world.kernel.steps,
    simulatedMicros: world.kernel.now,
    checks: world.invariants.checks,
    operations: simulation.operations,
    undecided: simulation.undecided,
    committed: world.invariants.commitIndex,
    electionTimeouts: simulation.electionTimeouts,
    convergenceMicros: simulation.convergenceMicros,
    faults: world.faults.toRecord(),
    messages: world.messages.toRecord(),
    transitions: world.transitions.toRecord()
  }
}
