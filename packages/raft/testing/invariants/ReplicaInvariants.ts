/**
 * The promises of what stands above the log: states, snapshots, sessions, requests and reads. Incremental, like the rules of
 * the log in `Invariants.ts`, which extends this class.
 */
import type { Index, NodeId } from "../../src/core/Types.ts"
import { invariant } from "../sim/invariant.ts"

interface Named {
  readonly id: NodeId
}

export abstract class ReplicaInvariants {
  private readonly chains: Array<number> = []
  private readonly snapshots = new Map<Index, number>()
  private readonly executions = new Map<number, Index>()
  private readonly forbidden = new Set<number>()
  /** Checks made so far, for reports: a run that checked nothing shows. */
  checks = 0

  /** Highest index that any node has handed out as committed. */
  abstract get commitIndex(): Index

  /** Replica states are compared by their chains: one number per applied entry. */
  applied(node: Named, index: Index, chain: number): void {
    this.checks++
    const known = this.chains[index]
    if (known === undefined) this.chains[index] = chain
    else {
      invariant(
        known === chain,
        "replicas that applied the same entries have the same state (paper, 5.3)",
        () => `${node.id} differs at applied index ${index}`
      )
    }
  }

  /** A snapshot and its tail are worth the whole log (paper, section 7); nothing in it was uncommitted. */
  restored(node: Named, index: Index, chain: number): void {
    invariant(
      index <= this.commitIndex,
      "a snapshot contains committed entries only (paper, section 7)",
      () => `${node.id} restores ${index}, ${this.commitIndex} are committed`
    )
    const known = this.chains[index]
    invariant(
      known === undefined || known === chain,
      "a restored snapshot is the state that the log makes (paper, section 7)",
      () => `${node.id} restores a different state at ${index}`
    )
  }

  /** Snapshots of one index are equal on all nodes, sessions and versions included (thesis 6.3). */
  snapshotMade(node: Named, index: Index, hash: number): void {
    const known = this.snapshots.get(index)
    if (known === undefined) this.snapshots.set(index, hash)
    invariant(
      known === undefined || known === hash,
      "snapshots of one index are equal, client sessions included (thesis 6.3)",
      () => `${node.id} made another one at ${index}`
    )
  }

  /** A command was reported as refused or superseded: it must never take effect. */
  forbid(command: number): void {
    if (command === 0) return
    const known = this.executions.get(command)
    invariant(
      known === undefined,
      "a request that is refused or superseded takes no effect (keyed by index and term)",
      () => `command ${command} was executed at ${String(known)}`
    )
    this.forbidden.add(command)
  }

  /** A command of a session is executed at one place of the log (exactly once: thesis 6.3). */
  executed(node: Named, command: number, index: Index): void {
    const known = this.executions.get(command)
    if (known === undefined) this.executions.set(command, index)
    invariant(
      !this.forbidden.has(command),
      "a request that is refused or superseded takes no effect (keyed by index and term)",
      () => `${node.id} executes command ${command} at ${index}`
    )
    invariant(
      known === undefined || known === index,
      "a command of a session is executed once (thesis 6.3)",
      () => `${node.id} executes command ${command} at ${index}, it was executed at ${String(known)}`
    )
  }

  /** True if the command has been executed anywhere. */
  wasExecuted(command: number): boolean {
    return this.executions.has(command)
  }

  /** A linearizable read sees all that was committed when it was asked for (thesis 6.4). */
  readAnswered(node: NodeId, index: Index, commitAtCall: Index): void {
    invariant(
      index >= commitAtCall,
      "a linearizable read is not older than what was committed before it (thesis 6.4)",
      () => `${node} answers a read at ${index}; ${commitAtCall} was committed when it was asked`
    )
  }
}
