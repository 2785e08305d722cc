/**
 * One server under test, for the paper tests: made from a log of terms, fed with messages, its work collected. Its disk
 * answers at once, unless `disk` is "hold".
 */
import { encodeConfiguration, normalConfiguration } from "../../src/core/Configurations.ts"
import { makeEntry } from "../../src/core/Log.ts"
import { Raft } from "../../src/core/Raft.ts"
import type {
  Append,
  Entry,
  Input,
  Message,
  PersistWork,
  RaftEvent,
  RaftOptions,
  ReadReady,
  Reply,
  Restored
} from "../../src/core/Types.ts"

const bytes = new TextEncoder()

export const command = (index: number, term: number, text = "x"): Entry =>
  makeEntry(index, term, "command", bytes.encode(text))

export interface ServerOptions extends Partial<RaftOptions> {
  readonly voters?: ReadonlyArray<string>
  readonly learners?: ReadonlyArray<string>
  /** Terms of the log; entry 1 is the configuration. */
  readonly log?: ReadonlyArray<number>
  readonly term?: number
  readonly vote?: string
  readonly commit?: number
  readonly restored?: Partial<Restored>
}

export class Server {
  readonly raft: Raft
  readonly works: Array<PersistWork> = []
  readonly applied: Array<Entry> = []
  readonly replies: Array<Reply> = []
  readonly reads: Array<ReadReady> = []
  readonly events: Array<RaftEvent> = []
  disk: "auto" | "hold" = "auto"
  private messages: Array<Message> = []
  private time = 0

  constructor(options: ServerOptions = {}) {
    const { commit = 1, learners = [], log = [1], restored, vote, voters = ["a", "b", "c"], ...rest } = options
    const term = options.term ?? (log[log.length - 1] as number)
    const configuration = encodeConfiguration(normalConfiguration({ voters, learners }))
    const entries = log.map((at, i) =>
      i === 0 ? makeEntry(1, at, "configuration", configuration) : command(i + 1, at, `${i + 1}`)
    )
    this.raft = new Raft(
      { id: "a", seed: 7, ...rest },
      {
        hardState: { term, vote, commit, recoverTo: 0 },
        snapshot: undefined,
        snapshotDamaged: false,
        entries,
        damaged: [],
        tail: undefined,
        ...restored
      }
    )
    this.turn()
    // The promise of a restarted node (no votes for an election timeout) is over.
    this.wait(this.electionTicks)
    this.take()
  }

  get electionTicks(): number {
    return 10
  }

  step(...inputs: ReadonlyArray<Input>): this {
    for (const input of inputs) this.raft.step(input)
    this.turn()
    return this
  }

  /** Lets time pass without running timers. */
  wait(ticks: number): this {
    this.time += ticks
    return this.step({ _tag: "Clock", now: this.time })
  }

  tick(count = 1): this {
    for (; count > 0; count--) {
      this.time++
      this.step({ _tag: "Tick", now: this.time })
    }
    return this
  }

  /** Receives a message and gives what it sent then. */
  receive<M extends Message>(message: M): ReadonlyArray<Message> {
    this.take()
    this.step({ _tag: "Receive", message })
    return this.take()
  }

  /** Messages sent since the last call. */
  take(): ReadonlyArray<Message> {
    const { messages } = this
    this.messages = []
    return messages
  }

  takeOf<T extends Message["_tag"]>(tag: T): ReadonlyArray<Extract<Message, { readonly _tag: T }>> {
    return this.take().filter((message): message is Extract<Message, { readonly _tag: T }> => message._tag === tag)
  }

  /** All that waits for the disk is durable. */
  persistAll(): this {
    const last = this.works[this.works.length - 1]
    if (last !== undefined) this.raft.step({ _tag: "Persisted", write: last.write })
    this.turn()
    return this
  }

  private turn(): void {
    while (this.raft.hasWork()) {
      const output = this.raft.ready()
      this.messages.push(...output.messages)
      this.applied.push(...output.committed)
      this.replies.push(...output.replies)
      this.reads.push(...output.reads)
      this.events.push(...output.events)
      if (output.persist === undefined) continue
      this.works.push(output.persist)
      if (this.disk === "auto") this.raft.step({ _tag: "Persisted", write: output.persist.write })
    }
  }

  get terms(): ReadonlyArray<number> {
    const { raft } = this
    return raft.entries(raft.firstIndex, raft.lastIndex).map(({ term }) => term)
  }

  /** Wins an election by the votes of these. */
  lead(...voters: ReadonlyArray<string>): this {
    this.step({ _tag: "Campaign" })
    for (const from of voters) {
      this.step({
        _tag: "Receive",
        message: { _tag: "PreVoteReply", from, to: "a", term: this.raft.term + 1, granted: true }
      })
      if (this.raft.role === "candidate") break
    }
    for (const from of voters) {
      if (this.raft.role === "leader") break
      this.step({ _tag: "Receive", message: { _tag: "VoteReply", from, to: "a", term: this.raft.term, granted: true } })
    }
    if (this.raft.role !== "leader") throw new Error(`not elected by ${voters.join()}: ${this.raft.role}`)
    this.take()
    return this
  }

  /** Leads, with its first entry committed by these. */
  leadCommitted(...voters: ReadonlyArray<string>): this {
    this.lead(...voters)
    for (const from of voters) this.ack(from, this.raft.lastIndex)
    this.take()
    return this
  }

  ack(from: string, index: number, stamp = this.time): this {
    return this.step({
      _tag: "Receive",
      message: {
        _tag: "AppendReply",
        from,
        to: "a",
        term: this.raft.term,
        ok: true,
        index,
        hintIndex: 0,
        hintTerm: 0,
        damaged: false,
        wantsSnapshot: false,
        stamp,
        supports: 0,
        recovering: false
      }
    })
  }

  refuse(from: string, prevIndex: number, hintIndex: number, hintTerm: number): this {
    return this.step({
      _tag: "Receive",
      message: {
        _tag: "AppendReply",
        from,
        to: "a",
        term: this.raft.term,
        ok: false,
        index: prevIndex,
        hintIndex,
        hintTerm,
        damaged: false,
        wantsSnapshot: false,
        stamp: this.time,
        supports: 0,
        recovering: false
      }
    })
  }

  heartbeatReply(from: string, round: number, stamp = this.time): this {
    return this.step({
      _tag: "Receive",
      message: {
        _tag: "HeartbeatReply",
        from,
        to: "a",
        term: this.raft.term,
        round,
        stamp,
        supports: 0,
        recovering: false
      }
    })
  }

  propose(text = "x", requestId = this.raft.lastIndex + 1): this {
    return this.step({
      _tag: "Propose",
      requestId,
      proposal: { kind: "command", session: 0, sequence: 0, resolved: 0, data: bytes.encode(text) }
    })
  }
}

export const append = (
  term: number,
  prevIndex: number,
  prevTerm: number,
  entries: ReadonlyArray<Entry> = [],
  commit = 0,
  from = "b"
): Append => ({ _tag: "Append", from, to: "a", term, prevIndex, prevTerm, entries, commit, stamp: 0 })

export const vote = (term: number, lastIndex: number, lastTerm: number, from = "b", transfer = false): Message => ({
  _tag: "Vote",
  from,
  to: "a",
  term,
  lastIndex,
  lastTerm,
  transfer
})

export const preVote = (term: number, lastIndex: number, lastTerm: number, from = "b"): Message => ({
  _tag: "PreVote",
  from,
  to: "a",
  term,
  lastIndex,
  lastTerm
})

export const heartbeat = (
  term: number,
  fields: {
    readonly commit?: number
    readonly match?: number
    readonly matchTerm?: number
    readonly lastIndex?: number
    readonly round?: number
  } = {},
  from = "b"
): Message => ({
  _tag: "Heartbeat",
  from,
  to: "a",
  term,
  commit: 0,
  match: 0,
  matchTerm: 0,
  lastIndex: 1,
  round: 0,
  stamp: 0,
  ...fields
})
