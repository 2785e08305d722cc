/**
 * One node of a text scenario: a `Raft` and a `Replica` over a disk made of plain values, with the driver's order of work.
 * The state machine is a list of the commands; its answer to a command is the length of the list.
 */
import { Raft } from "../../src/core/Raft.ts"
import {
  renderEntry,
  renderEvent,
  renderMessage,
  renderPersist,
  renderRead,
  renderReply,
  renderView
} from "../../src/core/Render.ts"
import { Replica } from "../../src/core/Replica.ts"
import {
  defaultLimits,
  emptyRestored,
  type Applied,
  type Entry,
  type HardState,
  type Input,
  type Message,
  type Output,
  type PersistWork,
  type PieceReadWanted,
  type RaftOptions,
  type Restored,
  type SnapshotMeta,
  type StateMachine
} from "../../src/core/Types.ts"

const text = new TextDecoder()
const bytes = new TextEncoder()

class ListMachine implements StateMachine {
  list: Array<string> = []
  apply(command: Uint8Array): Uint8Array {
    const word = text.decode(command)
    if (word === "fail") throw new Error("the command says so")
    this.list.push(word.length > 20 ? `${word.slice(0, 8)}..${word.length}` : word)
    return bytes.encode(String(this.list.length))
  }
  snapshot(): Uint8Array {
    return bytes.encode(JSON.stringify(this.list))
  }
  restore(state: Uint8Array): void {
    this.list = JSON.parse(text.decode(state)) as Array<string>
  }
}

/** What is durable. */
interface Image {
  hardState: HardState
  entries: Map<number, Entry>
  last: number
  snapshot: { readonly meta: SnapshotMeta; readonly bytes: Uint8Array } | undefined
}

const emptyImage = (): Image => ({
  hardState: emptyRestored.hardState,
  entries: new Map(),
  last: 0,
  snapshot: undefined
})

const copy = (image: Image): Image => ({ ...image, entries: new Map(image.entries) })

const renderApplied = (applied: Applied): string => {
  switch (applied._tag) {
    case "Result":
      return `${text.decode(applied.data)}${applied.repeated ? " (repeated)" : ""}`
    case "Failed":
      return `failed: ${applied.message}${applied.repeated ? " (repeated)" : ""}`
    case "SessionOpened":
      return `session ${applied.session} opened`
    case "SessionsExpired":
      return `${applied.count} sessions expired`
    case "VersionSwitched":
      return `version ${applied.version}`
    case "SessionUnknown":
      return `session ${applied.session} unknown`
    default:
      return applied._tag
  }
}

export type Disk = "auto" | "hold"

export class ScenarioNode {
  readonly id: string
  raft: Raft | undefined
  machine = new ListMachine()
  replica = new Replica(this.machine)
  now = 0
  disk: Disk = "auto"
  holdSnapshots = false
  private readonly options: RaftOptions
  private image = emptyImage()
  private backup: Image | undefined
  private damaged = new Set<number>()
  private snapshotDamaged = false
  private tailKnown = true
  private inFlight: Array<PersistWork> = []
  private arriving: Array<Uint8Array> = []
  private readonly send: (message: Message) => void
  private readonly print: (line: string) => void

  constructor(options: RaftOptions, send: (message: Message) => void, print: (line: string) => void) {
    this.id = options.id
    this.options = options
    this.send = send
    this.print = (line) => print(`${this.id}: ${line}`)
    this.start()
    // The first election timeout, in which a node that has just started grants no votes, is over before the scenario begins.
    this.now = options.limits?.electionTicks ?? defaultLimits.electionTicks
    this.step({ _tag: "Clock", now: this.now })
  }

  /** (Re)starts from what is durable. */
  start(): void {
    const restored = this.restored()
    this.raft = new Raft({ ...this.options, now: this.now }, restored)
    this.machine = new ListMachine()
    const { limits, supports } = this.options
    this.replica = new Replica(this.machine, {
      ...(supports === undefined ? {} : { supports }),
      ...(limits === undefined ? {} : { limits })
    })
    const { snapshot } = this.image
    if (snapshot !== undefined && !this.snapshotDamaged) this.replica.restore(snapshot.meta.index, snapshot.bytes)
    this.turn()
  }

  private restored(): Restored {
    const { entries, hardState, last, snapshot } = this.image
    if (entries.size === 0 && snapshot === undefined && hardState.term === 0) return emptyRestored
    const whole = [...entries.values()].filter(({ index }) => !this.damaged.has(index))
    const tail = entries.get(last)
    return {
      hardState,
      snapshot: snapshot?.meta,
      snapshotDamaged: this.snapshotDamaged,
      entries: whole.sort((x, y) => x.index - y.index),
      damaged: [...this.damaged].sort((x, y) => x - y).map((index) => ({ from: index, to: index })),
      tail: this.tailKnown && tail !== undefined ? { index: tail.index, term: tail.term } : undefined
    }
  }

  /** The process ends; of the writes in flight the first `kept` had reached the disk. */
  crash(kept: number): void {
    for (const work of this.inFlight.slice(0, kept)) this.store(work)
    this.inFlight = []
    this.raft = undefined
  }

  save(): void {
    this.backup = copy(this.image)
  }

  rollback(): void {
    if (this.backup === undefined) throw new Error(`no backup of ${this.id}`)
    this.image = copy(this.backup)
  }

  lose(): void {
    this.image = emptyImage()
  }

  damage(from: number, to: number): void {
    for (let index = from; index <= to; index++) this.damaged.add(index)
  }

  damageSnapshot(): void {
    this.snapshotDamaged = true
  }

  forgetTail(): void {
    this.tailKnown = false
  }

  step(input: Input): void {
    if (this.raft === undefined) return
    this.raft.step(input)
    this.turn()
  }

  tick(): void {
    this.now++
    this.step({ _tag: "Tick", now: this.now })
  }

  /** Writes in flight become durable, the first `count` of them. */
  release(count: number): void {
    for (const work of this.inFlight.splice(0, count)) {
      this.store(work)
      this.raft?.step({ _tag: "Persisted", write: work.write })
    }
    this.turn()
  }

  private store(work: PersistWork): void {
    const { image } = this
    if (work.hardState !== undefined) image.hardState = work.hardState
    if (work.truncateFrom > 0) {
      for (const index of image.entries.keys()) if (index >= work.truncateFrom) image.entries.delete(index)
      image.last = work.truncateFrom - 1
    }
    for (const entry of work.entries) {
      image.entries.set(entry.index, entry)
      this.damaged.delete(entry.index)
      image.last = Math.max(image.last, entry.index)
    }
    for (const index of image.entries.keys()) if (index <= work.compactTo) image.entries.delete(index)
  }

  /** The driver's loop: until the core has nothing more to do. */
  turn(): void {
    while (this.raft?.hasWork() === true) this.work(this.raft, this.raft.ready())
  }

  private work(raft: Raft, output: Output): void {
    for (const event of output.events) this.print(renderEvent(event))
    for (const message of output.messages) {
      this.print(`send ${renderMessage(message)}`)
      this.send(message)
    }
    if (output.persist !== undefined) this.persist(raft, output.persist)
    for (const { data, offset } of output.pieces) {
      if (offset === 0) this.arriving = []
      this.arriving.push(data)
    }
    if (output.install !== undefined) this.install(raft, output.install.meta, output.install.keepLog)
    for (const entry of output.committed) {
      this.print(`apply ${renderEntry(entry)} = ${renderApplied(this.replica.apply(entry))}`)
    }
    for (const reply of output.replies) this.print(renderReply(reply))
    for (const read of output.reads) this.print(`${renderRead(read)}: ${this.machine.list.join(" ")}`)
    if (output.snapshotWanted > 0) this.snapshot(raft)
    for (const wanted of output.pieceReads) this.readPiece(raft, wanted)
  }

  private persist(raft: Raft, work: PersistWork): void {
    this.print(renderPersist(work))
    if (this.disk === "hold") this.inFlight.push(work)
    else {
      this.store(work)
      raft.step({ _tag: "Persisted", write: work.write })
    }
  }

  private install(raft: Raft, meta: SnapshotMeta, keepLog: boolean): void {
    const state = new Uint8Array(this.arriving.reduce((sum, piece) => sum + piece.length, 0))
    let offset = 0
    for (const piece of this.arriving) {
      state.set(piece, offset)
      offset += piece.length
    }
    if (state.length !== meta.bytes) {
      this.print(`snapshot ${meta.index} has ${state.length} of ${meta.bytes} bytes`)
      return raft.step({ _tag: "InstallFailed", index: meta.index })
    }
    this.release(Infinity)
    this.image.snapshot = { meta, bytes: state }
    for (const index of this.image.entries.keys()) {
      if (!keepLog || index <= meta.index) this.image.entries.delete(index)
    }
    if (!keepLog) this.image.last = meta.index
    this.snapshotDamaged = false
    this.replica.restore(meta.index, state)
    this.print(`installed snapshot ${meta.index}${keepLog ? ", the log goes on" : ""}: ${this.machine.list.join(" ")}`)
    raft.step({ _tag: "SnapshotInstalled", index: meta.index })
  }

  private snapshot(raft: Raft): void {
    if (this.holdSnapshots) return raft.step({ _tag: "SnapshotFailed" })
    const { bytes: state, index } = this.replica.snapshot()
    raft.step({ _tag: "SnapshotMade", index, bytes: state.length })
    const meta = raft.snapshot().snapshot
    if (meta?.index !== index) return
    this.image.snapshot = { meta, bytes: state }
    this.print(`made snapshot ${index}`)
  }

  private readPiece(raft: Raft, { length, meta, offset, to }: PieceReadWanted): void {
    const { snapshot } = this.image
    const data = snapshot?.meta.index === meta.index ? snapshot.bytes.subarray(offset, offset + length) : undefined
    raft.step({ _tag: "PieceRead", to, index: meta.index, offset, data })
  }

  status(): ReadonlyArray<string> {
    if (this.raft === undefined) return [`${this.id} is down`]
    return [...renderView(this.raft.snapshot()), `  state: ${this.machine.list.join(" ")}`]
  }

  log(): ReadonlyArray<string> {
    const { raft } = this
    if (raft === undefined) return [`${this.id} is down`]
    return [`${this.id}: ${raft.entries(raft.firstIndex, raft.lastIndex).map(renderEntry).join(", ")}`]
  }
}
