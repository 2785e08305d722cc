/** What all parts of one simulated run share. */
import type { NodeId } from "../../src/core/Types.ts"
import type { Message } from "../../src/core/Types.ts"
import { RaftInvariants } from "../Invariants.ts"
import { Kernel } from "./Kernel.ts"
import type { Network } from "./Network.ts"
import type { SimOptions } from "./Options.ts"
import { SeededRandom } from "./Random.ts"
import type { SimNode } from "./SimNode.ts"
import { type FaultKind, Tally } from "./Tally.ts"

/** A line of the trace: simulated microseconds, who, what. */
export type Trace = (micros: number, who: string, text: () => string) => void

/** Something that happened at a node which faults may be aimed at. */
export type Opportunity = "freshLeader" | "membershipChange" | "compaction"

export class World {
  readonly options: SimOptions
  readonly kernel = new Kernel()
  readonly random: SeededRandom
  readonly faults = new Tally()
  readonly messages = new Tally()
  readonly transitions = new Tally()
  readonly invariants = new RaftInvariants()
  readonly nodes: Array<SimNode> = []
  /** Set by the simulation right after construction; the network needs the world's kernel first. */
  network!: Network<Message>
  /** Called when something happens that is worth a fault. */
  opportunity: (kind: Opportunity, node: SimNode) => void = () => {}
  /** Called when a node's process ended by itself. */
  ended: (node: SimNode) => void = () => {}
  /** The first broken rule or crash of the code under test; ends the run. */
  failure: unknown = undefined
  readonly trace: Trace | undefined
  /** Rolling hash over everything that happened: equal for equal seeds. */
  digest = 0x811c9dc5 | 0
  private readonly places = new Map<NodeId, number>()
  /** The phase with faults is over. */
  healed = false

  constructor(options: SimOptions, trace: Trace | undefined) {
    this.options = options
    this.trace = trace
    this.random = new SeededRandom(options.seed, "world")
  }

  /** Stops the run at the next step. The first failure is the one to report. */
  fail(error: unknown): void {
    this.failure ??= error
  }

  /** Folds a number into the digest. */
  note(value: number): void {
    this.digest = Math.imul(this.digest ^ value, 0x01000193) ^ (this.digest >>> 13)
  }

  name(id: NodeId, place: number): void {
    this.places.set(id, place)
  }

  /** Where a node of this name runs; -1 for one that was never started. */
  placeOf(id: NodeId): number {
    return this.places.get(id) ?? -1
  }

  /** The running node of this name. */
  find(id: NodeId): SimNode | undefined {
    const node = this.nodes[this.placeOf(id)]
    return node?.id === id ? node : undefined
  }

  fault(kind: FaultKind, who: string, text: () => string): void {
    this.faults.add(kind)
    this.trace?.(this.kernel.now, who, () => `FAULT ${kind} ${text()}`)
  }

  /** Nodes that run and can take a turn. */
  running(): Array<SimNode> {
    return this.nodes.filter((node) => node.driver !== undefined && !node.paused)
  }

  /** The running leader of the highest term, if any. */
  leader(): SimNode | undefined {
    let best: SimNode | undefined
    for (const node of this.nodes) {
      const raft = node.driver?.raft
      if (raft === undefined || raft.role !== "leader") continue
      if (best === undefined || raft.term > (best.driver?.raft.term ?? 0)) best = node
    }
    return best
  }
}
