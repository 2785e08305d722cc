/**
 * The driver of one node: carries the work of the protocol core out, over ports (`driver/Ports.ts`).
 *
 * Not pure, but without sockets, timers, files, clock or randomness of its own. One turn (RAFT thesis 10.2.1 for
 * the order): step everything that has arrived, hand the messages out and flush them, one disk write for everything, apply what is
 * committed, answer. A turn runs when something has arrived, deferred to the end of what is due now, so that a burst of
 * messages or proposals becomes one append and one write, without timers.
 *
 * Laws: requests end exactly once; nothing is called after `end`; a failed disk or a broken promise of the core ends the
 * node (`Probe.fatal`), its open requests are answered `Unknown`.
 */
import { Raft } from "./core/Raft.ts"
import { Replica } from "./core/Replica.ts"
import type { StateMachine } from "./core/Surface.ts"
import {
  type Configuration,
  defaultLimits,
  type Entry,
  type Index,
  type Input,
  type Install,
  type Message,
  type NodeId,
  type Output,
  type Proposal,
  type RaftOptions,
  type Reply,
  type SnapshotMeta
} from "./core/Types.ts"
import { Disk, readSnapshot } from "./driver/Disk.ts"
import type { AdminOutcome, ClockPort, DeferPort, NetPort, Probe, ProposeOutcome } from "./driver/Ports.ts"
import { Results } from "./driver/Results.ts"
import type { LogStorage } from "./LogStorage.ts"

export type * from "./driver/Ports.ts"

export interface DriverOptions {
  readonly raft: RaftOptions
  readonly machine: StateMachine
  readonly net: NetPort
  /** Opened for this driver alone; closing it is the host's. */
  readonly storage: LogStorage
  readonly clock: ClockPort
  readonly defer: DeferPort
  readonly probe?: Probe
  /** Answers kept for commands of this node whose place in the log is not known yet. Default 4,096. */
  readonly resultsMax?: number
  /** The same in bytes. Default 16 MiB. */
  readonly resultBytesMax?: number
  /** Rounds of work in one turn before other callbacks of the process have theirs. Default 8. */
  readonly roundsMax?: number
}

type Waiting =
  | { readonly _tag: "Propose"; readonly done: (outcome: ProposeOutcome) => void }
  | { readonly _tag: "Admin"; readonly done: (outcome: AdminOutcome) => void }
  | { readonly _tag: "Read"; readonly done: (index: Index | undefined) => void }

const unknown = { _tag: "Unknown" } as const

/**
 * Starts a node on its storage: reads its snapshot, then makes the driver. A snapshot that cannot be read is damage like
 * any other, mended from the leader. No driver, and the reason: a storage that fails (`LogStorageError`), or a snapshot
 * that needs newer code (`VersionUnsupported`).
 */
export const startDriver = (options: DriverOptions, done: (driver: Driver | Error) => void): void => {
  const make = (bytes: Uint8Array | undefined): Driver | Error => {
    try {
      return new Driver(options, bytes)
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }
  const { restored } = options.storage
  if (restored.snapshot === undefined || restored.snapshotDamaged) return done(make(undefined))
  readSnapshot(options.storage, restored.snapshot, (bytes, failure) => done(failure ?? make(bytes)))
}

export class Driver {
  readonly raft: Raft
  readonly replica: Replica
  private readonly options: DriverOptions
  private readonly disk: Disk
  private readonly results: Results
  private readonly waiting = new Map<number, Waiting>()
  private readonly roundsMax: number
  private requests = 0
  private inbox: Array<Input> = []
  private spare: Array<Input> = []
  private ticking = false
  private scheduled = false
  private working = false
  private over = false

  /** Use {@link startDriver}. `snapshotBytes`: what the storage has for its snapshot, if it can be read. */
  constructor(options: DriverOptions, snapshotBytes: Uint8Array | undefined) {
    const { machine, raft, storage } = options
    const { restored } = storage
    this.options = options
    this.roundsMax = options.roundsMax ?? 8
    this.results = new Results(options.resultsMax ?? 4096, options.resultBytesMax ?? 16 * 1024 * 1024)
    const snapshotDamaged = restored.snapshot !== undefined && snapshotBytes === undefined
    this.raft = new Raft(raft, snapshotDamaged ? { ...restored, snapshotDamaged } : restored)
    this.replica = new Replica(machine, { supports: raft.supports ?? 0, limits: { ...defaultLimits, ...raft.limits } })
    if (restored.snapshot !== undefined && snapshotBytes !== undefined) {
      this.restore(restored.snapshot.index, snapshotBytes)
    }
    this.disk = new Disk(storage, {
      persisted: (write) => this.settle({ _tag: "Persisted", write }),
      installed: (install, bytes) => this.installed(install, bytes),
      snapshotSaved: ({ bytes, index }, saved) =>
        this.settle(saved ? { _tag: "SnapshotMade", index, bytes } : { _tag: "SnapshotFailed" }),
      failed: (reason) => this.settle({ _tag: "DiskFailed", reason })
    })
    this.schedule()
  }

  /** True once the node has ended, by `end` or by a fatal error. */
  get ended(): boolean {
    return this.over
  }

  /** Runs the timers at the next turn; the host calls it about once a tick. */
  tick(): void {
    this.ticking = true
    this.schedule()
  }

  /** A message has arrived. The driver keeps it until the turn; the host bounds how many it takes from its sockets. */
  receive(message: Message): void {
    this.put({ _tag: "Receive", message })
  }

  /** Proposes a command or a session step, here or through the leader. `done` is called once, in a later turn. */
  propose(proposal: Proposal, done: (outcome: ProposeOutcome) => void): void {
    const requestId = this.open({ _tag: "Propose", done })
    if (requestId !== 0) this.put({ _tag: "Propose", requestId, proposal })
  }

  /**
   * Asks for a moment at which this node's state is new enough for a linearizable read. `done` runs at that moment, with the
   * state machine at it; `undefined`: refused, ask again.
   */
  read(mode: "readIndex" | "lease", done: (index: Index | undefined) => void): void {
    const requestId = this.open({ _tag: "Read", done })
    if (requestId !== 0) this.put({ _tag: "Read", requestId, mode })
  }

  /** Hands leadership to a voter, or to the one that is furthest on. */
  transfer(to: NodeId | undefined, done: (outcome: AdminOutcome) => void): void {
    const requestId = this.open({ _tag: "Admin", done })
    if (requestId !== 0) this.put({ _tag: "Transfer", requestId, to })
  }

  /** Changes the members to exactly these sets (leader only). */
  changeMembership(
    change: {
      readonly voters: ReadonlyArray<NodeId>
      readonly learners: ReadonlyArray<NodeId>
      readonly addresses: Configuration["addresses"]
      readonly force: boolean
    },
    done: (outcome: AdminOutcome) => void
  ): void {
    const requestId = this.open({ _tag: "Admin", done })
    if (requestId !== 0) this.put({ _tag: "ChangeMembership", requestId, ...change })
  }

  /** Hands in an input that needs no answer: `Campaign`, `Compact`, `DamageFound`, `Unreachable`. */
  hint(input: Extract<Input, { readonly _tag: "Campaign" | "Compact" | "DamageFound" | "Unreachable" }>): void {
    this.put(input)
  }

  /** A graceful stop: hands leadership over if this node has it, then ends. `done` is called once. */
  stop(done: () => void): void {
    const finish = (): void => {
      this.end()
      done()
    }
    if (this.over || this.raft.role !== "leader") finish()
    else this.transfer(undefined, finish)
  }

  /** Ends the node at once. Open requests are answered `Unknown`, reads refused. */
  end(): void {
    if (this.over) return
    this.over = true
    this.disk.end()
    this.inbox = []
    const open = [...this.waiting.values()]
    this.waiting.clear()
    for (const waiting of open) this.abandon(waiting)
  }

  private abandon(waiting: Waiting): void {
    if (waiting._tag === "Read") waiting.done(undefined)
    else waiting.done(unknown)
  }

  /** Registers a request; 0 when the node has ended and the request with it. */
  private open(waiting: Waiting): number {
    if (this.over) {
      this.abandon(waiting)
      return 0
    }
    const requestId = ++this.requests
    this.waiting.set(requestId, waiting)
    return requestId
  }

  private put(input: Input): void {
    if (this.over) return
    this.inbox.push(input)
    this.schedule()
  }

  /** What the disk has done: in the middle of the turn that asked for it, or as an input of the next one. */
  private settle(input: Input): void {
    if (this.working) this.raft.step(input)
    else this.put(input)
  }

  private schedule(): void {
    if (this.scheduled || this.over) return
    this.scheduled = true
    this.options.defer(() => this.turn())
  }

  private turn(): void {
    this.scheduled = false
    if (this.over) return
    try {
      this.takeInputs()
      for (let rounds = 0; this.raft.hasWork(); rounds++) {
        if (rounds === this.roundsMax) return this.schedule()
        this.work(this.raft.ready())
        if (this.over) return
      }
    } catch (error) {
      this.fail(error)
    }
  }

  private takeInputs(): void {
    const inputs = this.inbox
    this.inbox = this.spare
    // The clock is read after the turn's messages were taken: an old message must not be dated after a pause.
    const now = this.options.clock.ticks()
    this.raft.step({ _tag: "Clock", now })
    for (const input of inputs) this.raft.step(input)
    inputs.length = 0
    this.spare = inputs
    if (this.ticking) {
      this.ticking = false
      this.raft.step({ _tag: "Tick", now })
    }
  }

  private work(output: Output): void {
    const { net, probe } = this.options
    probe?.ready?.(output)
    for (const message of output.messages) net.send(message)
    if (output.messages.length > 0) net.flush()
    this.working = true
    for (const piece of output.pieces) this.disk.storePiece(piece)
    if (output.persist !== undefined) this.disk.write(output.persist)
    if (output.install !== undefined) this.disk.install(output.install)
    for (const entry of output.committed) this.apply(entry)
    if (output.snapshotWanted > 0) this.makeSnapshot()
    for (const wanted of output.pieceReads) {
      const { length, meta, offset, to } = wanted
      this.disk.readPiece(meta.index, offset, length, (data) =>
        this.settle({ _tag: "PieceRead", to, index: meta.index, offset, data })
      )
    }
    this.working = false
    // Callbacks of requests come last and outside of the work: they may propose again.
    for (const reply of output.replies) this.reply(reply)
    for (const { index, requestId } of output.reads) {
      const waiting = this.take(requestId)
      if (waiting?._tag === "Read") waiting.done(index)
    }
    if (probe?.event !== undefined) for (const event of output.events) probe.event(event)
    for (const event of output.events) if (event._tag === "DiskFailed") this.fail(event)
  }

  private apply(entry: Entry): void {
    const applied = this.replica.apply(entry)
    if (this.waiting.size > 0) this.results.add(entry.index, entry.term, applied)
    this.options.probe?.applied?.(entry, applied)
  }

  private makeSnapshot(): void {
    const { bytes, index } = this.replica.snapshot()
    const view = this.raft.snapshot()
    const term = this.raft.termOf(index)
    let at = view.configurations[0]
    for (const known of view.configurations) if (known.index <= index) at = known
    if (term === undefined || at === undefined || at.index > index || index <= this.raft.snapshotIndex) {
      return this.settle({ _tag: "SnapshotFailed" })
    }
    const meta: SnapshotMeta = {
      index,
      term,
      configuration: at.configuration,
      configurationIndex: at.index,
      bytes: bytes.length
    }
    this.options.probe?.saving?.(meta, bytes)
    this.disk.save(meta, bytes)
  }

  private installed(install: Install, bytes: Uint8Array | undefined): void {
    const index = install.meta.index
    if (bytes === undefined) return this.settle({ _tag: "InstallFailed", index })
    try {
      this.restore(index, bytes)
    } catch (error) {
      // The snapshot needs newer code, or is not one: this node cannot go on, its disk is whole.
      return this.fail(error)
    }
    this.settle({ _tag: "SnapshotInstalled", index })
  }

  private restore(index: Index, bytes: Uint8Array): void {
    this.replica.restore(index, bytes)
    this.results.clear(index + 1)
    this.options.probe?.restored?.(index)
  }

  private take(requestId: number): Waiting | undefined {
    const waiting = this.waiting.get(requestId)
    this.waiting.delete(requestId)
    return waiting
  }

  private reply(reply: Reply): void {
    const waiting = this.take(reply.requestId)
    if (waiting?._tag === "Propose") waiting.done(this.outcome(reply))
    else if (waiting?._tag === "Admin") waiting.done(adminOutcome(reply))
  }

  private outcome(reply: Reply): ProposeOutcome {
    switch (reply._tag) {
      case "Committed": {
        const { index, term } = reply
        const applied = this.results.get(index, term)
        // The answer is gone (a snapshot jumped over it, or too many came since): a session gives it once more.
        return applied === undefined ? unknown : { _tag: "Applied", index, term, applied }
      }
      case "Superseded":
        return { _tag: "Superseded" }
      case "Refused":
        return { _tag: "Refused", reason: reply.reason, leader: reply.leader }
      default:
        return unknown
    }
  }

  private fail(error: unknown): void {
    if (this.over) return
    this.end()
    this.options.probe?.fatal?.(error)
  }
}

const adminOutcome = (reply: Reply): AdminOutcome => {
  switch (reply._tag) {
    case "Committed":
      return { _tag: "Done", leader: undefined }
    case "Transferred":
      return { _tag: "Done", leader: reply.leader }
    case "Refused":
      return { _tag: "Refused", reason: reply.reason, leader: reply.leader }
    case "TransferTimedOut":
      return { _tag: "TimedOut" }
    default:
      return unknown
  }
}
