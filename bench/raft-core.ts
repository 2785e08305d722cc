/**
 * Speed of the Raft protocol core alone: append and acknowledge between three cores in one process, no network, no disk, no
 * driver. A step is one `Raft.step` call (a proposal, a message, a `Persisted`). Like all rates of this bench it is taken by the
 * thread's processor time, since it waits for nothing else; `wall` is the same by the clock.
 *
 * `node bench/raft-core.ts` prints one JSON object a row; `npm run bench -- --row core` calls `run`.
 */
import { performance } from "node:perf_hooks"
import { Raft } from "../packages/raft/src/core/Raft.ts"
import { emptyRestored, type Message } from "../packages/raft/src/core/Types.ts"

const ids = ["a", "b", "c"]
const voters = { voters: ids, outgoing: [], learners: [], learnersNext: [], addresses: {} }

interface Node {
  readonly raft: Raft
  inbox: Array<Message>
}

interface Measured {
  readonly steps: number
  readonly entries: number
  readonly seconds: number
  readonly cpuSeconds: number
}

const START_TICKS = 10

/** By number: `ids[i]` is node i. */
const makeCluster = (): Array<Node> => {
  const nodes: Array<Node> = []
  for (const id of ids) {
    const options = { id, seed: 1, bootstrap: voters, limits: { snapshotEntries: 4096, keepEntries: 256 } }
    nodes.push({ raft: new Raft(options, emptyRestored), inbox: [] })
  }
  return nodes
}

/** Runs turns until nothing is left to do; counts the steps. */
const drain = (nodes: Array<Node>): number => {
  let steps = 0
  for (let busy = true; busy;) {
    busy = false
    for (const node of nodes) {
      const { raft } = node
      const inbox = node.inbox
      if (inbox.length > 0) {
        node.inbox = []
        for (const message of inbox) raft.step({ _tag: "Receive", message })
        steps += inbox.length
      }
      while (raft.hasWork()) {
        busy = true
        const output = raft.ready()
        for (const message of output.messages) (nodes[message.to.charCodeAt(0) - 97] as Node).inbox.push(message)
        if (output.persist !== undefined) {
          raft.step({ _tag: "Persisted", write: output.persist.write })
          steps++
        }
        if (output.snapshotWanted > 0) raft.step({ _tag: "SnapshotMade", index: output.snapshotWanted, bytes: 10 })
      }
    }
  }
  return steps
}

/** `perTurn` proposals enter the leader in each of its turns; a clock tick passes every 100 turns. */
const measure = (entries: number, perTurn: number): Measured => {
  const nodes = makeCluster()
  const leader = (nodes[0] as Node).raft
  drain(nodes)
  // A node that has just started grants no votes for an election timeout.
  for (const { raft } of nodes) raft.step({ _tag: "Clock", now: START_TICKS })
  leader.step({ _tag: "Campaign" })
  drain(nodes)
  if (leader.role !== "leader") throw new Error(`a did not win: ${leader.role}`)
  const proposal = { kind: "command", session: 0, sequence: 0, resolved: 0, data: new Uint8Array(10) } as const
  let steps = 0
  let now = START_TICKS
  let turns = 0
  const start = performance.now()
  const cpu = process.threadCpuUsage()
  for (let requestId = 1; requestId <= entries;) {
    for (let i = 0; i < perTurn && requestId <= entries; i++)
      leader.step({ _tag: "Propose", requestId: requestId++, proposal })
    steps += perTurn + drain(nodes)
    if (++turns % 100 === 0) {
      now++
      for (const { raft } of nodes) raft.step({ _tag: "Tick", now })
      steps += 3
    }
  }
  const seconds = (performance.now() - start) / 1000
  const { system, user } = process.threadCpuUsage(cpu)
  if (leader.commit < entries) throw new Error(`only ${leader.commit} of ${entries} entries were committed`)
  return { steps, entries, seconds, cpuSeconds: (user + system) / 1e6 }
}

export interface CoreRow {
  readonly row: "core"
  readonly workload: string
  readonly unit: "steps/s"
  readonly ours: number
  readonly range: readonly [number, number]
  readonly entriesPerSecond: number
  /** Steps per second by the clock on the wall. */
  readonly wall: number
  readonly floor: number
  readonly aim: number
  readonly attempts: number
  readonly versions: string
}

const row = (workload: string, entries: number, perTurn: number): CoreRow => {
  measure(20_000, perTurn)
  const runs = [1, 2, 3]
    .map(() => measure(entries, perTurn))
    .sort((x, y) => x.steps / x.cpuSeconds - y.steps / y.cpuSeconds)
  const rate = ({ cpuSeconds, steps }: Measured) => Math.round(steps / cpuSeconds)
  const median = runs[1] as Measured
  return {
    row: "core",
    workload,
    unit: "steps/s",
    ours: rate(median),
    range: [rate(runs[0] as Measured), rate(runs[2] as Measured)],
    entriesPerSecond: Math.round(median.entries / median.cpuSeconds),
    wall: Math.round(median.steps / median.seconds),
    floor: 3_000_000,
    aim: 6_000_000,
    attempts: runs.length,
    versions: `node ${process.version}`
  }
}

/** The floor and aim are for one entry a turn, where nothing is saved by batches; the other row shows what they save. */
export const run = (): Promise<Array<CoreRow>> =>
  Promise.resolve([
    row("3 cores, 10 B, 1 entry a turn", 200_000, 1),
    row("3 cores, 10 B, 64 entries a turn", 1_000_000, 64)
  ])

if (import.meta.main) {
  const done = await run()
  for (const one of done) console.log(JSON.stringify(one))
  if (done.some(({ floor, ours }) => ours < floor)) process.exitCode = 1
}
