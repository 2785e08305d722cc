/**
 * Many runs added up: faults, messages and transitions by kind, speed, and the worst of the liveness figures.
 * Pure data; times are handed in.
 */
import type { RunReport } from "./Simulation.ts"
import { faultKinds, Tally } from "./Tally.ts"

/** Types of message in the protocol, to name those that no run has sent. */
export const messageTypes = [
  "PreVote",
  "PreVoteReply",
  "Vote",
  "VoteReply",
  "Append",
  "AppendReply",
  "Heartbeat",
  "HeartbeatReply",
  "SnapshotPiece",
  "SnapshotReply",
  "TimeoutNow",
  "Forward",
  "ForwardReply",
  "ReadIndex",
  "ReadIndexReply",
  "EntriesWanted",
  "EntriesFound"
] as const

/** Changes of role that the protocol has. */
export const roleTransitions = [
  "follower -> preCandidate",
  "preCandidate -> follower",
  "preCandidate -> candidate",
  "candidate -> leader",
  "candidate -> follower",
  "leader -> follower"
] as const

/** What crosses a thread boundary for one seed. */
export type RunSummary = Pick<
  RunReport,
  | "seed"
  | "digest"
  | "steps"
  | "simulatedMicros"
  | "checks"
  | "operations"
  | "undecided"
  | "committed"
  | "electionTimeouts"
  | "convergenceMicros"
  | "faults"
  | "messages"
  | "transitions"
> & {
  readonly failure: { readonly rule: string; readonly message: string } | undefined
  /** Milliseconds of processor time of one run. */
  readonly millis: number
  readonly nodes: number
}

export const summarize = (report: RunReport, millis: number): RunSummary => {
  const { failure, options, ...rest } = report
  return {
    ...rest,
    nodes: options.nodes,
    millis,
    failure: failure === undefined ? undefined : { rule: failure.rule, message: failure.message }
  }
}

export class Campaign {
  readonly faults = new Tally()
  readonly messages = new Tally()
  readonly transitions = new Tally()
  readonly nodes = new Tally()
  readonly failures: Array<RunSummary> = []
  seeds = 0
  steps = 0
  checks = 0
  operations = 0
  undecided = 0
  committed = 0
  simulatedMicros = 0
  millis = 0
  worstElection = { timeouts: 0, seed: 0 }
  worstConvergence = { micros: 0, seed: 0 }

  add(run: RunSummary): void {
    this.seeds++
    this.steps += run.steps
    this.checks += run.checks
    this.operations += run.operations
    this.undecided += run.undecided
    this.committed += run.committed
    this.simulatedMicros += run.simulatedMicros
    this.millis += run.millis
    this.faults.merge(run.faults)
    this.messages.merge(run.messages)
    this.transitions.merge(run.transitions)
    this.nodes.add(`${run.nodes} nodes`)
    if (run.electionTimeouts > this.worstElection.timeouts) {
      this.worstElection = { timeouts: run.electionTimeouts, seed: run.seed }
    }
    if (run.convergenceMicros > this.worstConvergence.micros) {
      this.worstConvergence = { micros: run.convergenceMicros, seed: run.seed }
    }
    if (run.failure !== undefined) this.failures.push(run)
  }

  /** Simulated time over the processor time that it took. */
  get timesReal(): number {
    return this.simulatedMicros / 1000 / Math.max(1, this.millis)
  }

  /** Fault kinds, message types and role transitions that no run has reached. */
  unreached(): ReadonlyArray<string> {
    return [
      ...faultKinds.filter((kind) => this.faults.get(kind) === 0).map((kind) => `fault ${kind}`),
      ...messageTypes.filter((type) => this.messages.get(type) === 0).map((type) => `message ${type}`),
      ...roleTransitions.filter((name) => this.transitions.get(name) === 0).map((name) => `transition ${name}`)
    ]
  }
}
