/**
 * What every replica does with committed entries around the user's state machine: client sessions (thesis 6.3), code
 * versions, and the reassembly of long commands. Deterministic: it reads nothing but entries, so it is equal on all nodes.
 *
 * Laws: a command of a session takes effect at most once however often it stands in the log; equal results are given for
 * every copy while the session lives and has not confirmed it; a command that fails changes nothing and stops nothing.
 */
import { Reader, Writer } from "./Bytes.ts"
import { decodeNumber } from "./Configurations.ts"
import { defaultLimits, type Limits } from "./Config.ts"
import { invariant } from "./invariant.ts"
import type { Applied, Entry, Index, ReplicaCore, StateMachine } from "./Types.ts"

/** Longest kept text of a failed command in characters. */
const FAILED_MESSAGE_CHARS_MAX = 1000

/** Format of the bytes of a replica's snapshot. */
const SNAPSHOT_FORMAT = 1

/** An entry switches to a code version that this node does not have. Install newer code; the log waits unharmed. */
export class VersionUnsupported extends Error {
  override readonly name = "VersionUnsupported"
  readonly version: number
  constructor(version: number, supports: number, index: Index) {
    super(
      `log entry ${index} switches commands to version ${version}, this node applies up to ${supports}: it stops before ` +
        `that entry; start it with code that supports version ${version}, its data is whole`
    )
    this.version = version
  }
}

interface Kept {
  readonly failed: boolean
  readonly data: Uint8Array
  readonly message: string
}

interface Session {
  readonly id: number
  lastUsed: Index
  resolved: number
  readonly results: Map<number, Kept>
}

export interface ReplicaOptions {
  /** Highest code version that this node can apply. */
  readonly supports?: number
  readonly limits?: Partial<Pick<Limits, "sessionsMax" | "sessionResultsMax">>
}

const done: Applied = { _tag: "Done" }
const noBytes = new Uint8Array(0)

export class Replica implements ReplicaCore {
  private readonly machine: StateMachine
  private readonly supports: number
  private readonly sessionsMax: number
  private readonly sessionResultsMax: number
  /** In order of last use, the longest unused first. */
  private table = new Map<number, Session>()
  private parts: Array<Entry> = []
  private appliedIndex: Index = 0
  private codeVersion = 0

  constructor(machine: StateMachine, options: ReplicaOptions = {}) {
    this.machine = machine
    this.supports = { supports: 0, ...options }.supports
    const { sessionResultsMax, sessionsMax } = { ...defaultLimits, ...options.limits }
    this.sessionsMax = sessionsMax
    this.sessionResultsMax = sessionResultsMax
  }

  get applied(): Index {
    return this.appliedIndex
  }

  get version(): number {
    return this.codeVersion
  }

  get sessions(): number {
    return this.table.size
  }

  apply(entry: Entry): Applied {
    invariant(
      entry.index === this.appliedIndex + 1,
      "entries are applied in order, each once",
      () => `${entry.index} after ${this.appliedIndex}`
    )
    if (entry.kind === "version") this.checkVersion(entry)
    this.appliedIndex = entry.index
    if (entry.kind === "part") {
      // A run that another leader cut is interrupted by the first entry of that leader's term.
      const { term } = this.parts[0] ?? entry
      invariant(term === entry.term, "parts of two terms never touch", () => `${entry.index}: ${term}, ${entry.term}`)
      this.parts.push(entry)
      return done
    }
    const parts = this.parts
    if (parts.length > 0) this.parts = []
    switch (entry.kind) {
      case "command":
        return this.command(entry, parts[0]?.term === entry.term ? parts : [])
      case "openSession":
        return this.open(entry)
      case "closeSession":
        this.table.delete(entry.session)
        return { _tag: "SessionClosed" }
      case "expireSessions":
        return this.expire(decodeNumber(entry.data))
      case "version":
        this.codeVersion = Math.max(this.codeVersion, decodeNumber(entry.data))
        return { _tag: "VersionSwitched", version: this.codeVersion }
      default:
        invariant(entry.kind !== "damaged", "a damaged entry is never applied", () => `${entry.index}`)
        return done
    }
  }

  private checkVersion(entry: Entry): void {
    const version = decodeNumber(entry.data)
    if (version > this.supports) throw new VersionUnsupported(version, this.supports, entry.index)
  }

  private open(entry: Entry): Applied {
    this.table.set(entry.index, { id: entry.index, lastUsed: entry.index, resolved: 0, results: new Map() })
    if (this.table.size > this.sessionsMax) {
      const [oldest] = this.table.keys()
      this.table.delete(oldest as number)
    }
    return { _tag: "SessionOpened", session: entry.index }
  }

  private expire(below: Index): Applied {
    let count = 0
    for (const session of this.table.values()) {
      if (session.lastUsed >= below) break
      this.table.delete(session.id)
      count++
    }
    return { _tag: "SessionsExpired", count }
  }

  private command(entry: Entry, parts: ReadonlyArray<Entry>): Applied {
    if (entry.session === 0) return this.answer(this.run(entry, parts), false)
    const session = this.table.get(entry.session)
    if (session === undefined) return { _tag: "SessionUnknown", session: entry.session }
    this.table.delete(session.id)
    this.table.set(session.id, session)
    session.lastUsed = entry.index
    if (entry.resolved > session.resolved) {
      session.resolved = entry.resolved
      for (const sequence of session.results.keys()) if (sequence < entry.resolved) session.results.delete(sequence)
    }
    if (entry.sequence < session.resolved) return { _tag: "Forgotten" }
    const known = session.results.get(entry.sequence)
    if (known !== undefined) return this.answer(known, true)
    if (session.results.size >= this.sessionResultsMax) return { _tag: "TooManyOutstanding" }
    const kept = this.run(entry, parts)
    session.results.set(entry.sequence, kept)
    return this.answer(kept, false)
  }

  private answer({ data, failed, message }: Kept, repeated: boolean): Applied {
    return failed ? { _tag: "Failed", message, repeated } : { _tag: "Result", data, repeated }
  }

  private run(entry: Entry, parts: ReadonlyArray<Entry>): Kept {
    const command = parts.length === 0 ? entry.data : joined([...parts, entry])
    try {
      const data = this.machine.apply(command, { index: entry.index, term: entry.term, version: this.codeVersion })
      return { failed: false, data, message: "" }
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      return { failed: true, data: noBytes, message: message.slice(0, FAILED_MESSAGE_CHARS_MAX) }
    }
  }

  snapshot(): { readonly index: Index; readonly bytes: Uint8Array } {
    const index = this.parts[0] === undefined ? this.appliedIndex : this.parts[0].index - 1
    const writer = new Writer(1024)
    writer.uint(SNAPSHOT_FORMAT)
    writer.uint(this.codeVersion)
    writer.uint(this.table.size)
    for (const session of this.table.values()) {
      writer.uint(session.id)
      writer.uint(session.lastUsed)
      writer.uint(session.resolved)
      writer.uint(session.results.size)
      for (const [sequence, kept] of session.results) {
        writer.uint(sequence)
        writer.bool(kept.failed)
        if (kept.failed) writer.text(kept.message)
        else writer.blob(kept.data)
      }
    }
    writer.blob(this.machine.snapshot())
    return { index, bytes: writer.done() }
  }

  restore(index: Index, bytes: Uint8Array): void {
    const reader = new Reader(bytes)
    const format = reader.uint()
    invariant(format === SNAPSHOT_FORMAT, "a snapshot has a known format", () => `${format}`)
    const version = reader.uint()
    if (version > this.supports) throw new VersionUnsupported(version, this.supports, index)
    const table = new Map<number, Session>()
    for (let count = reader.uint(); count > 0; count--) {
      const session = readSession(reader)
      table.set(session.id, session)
    }
    const state = reader.blob()
    reader.end()
    this.machine.restore(state)
    this.table = table
    this.codeVersion = version
    this.parts = []
    this.appliedIndex = index
  }
}

const readSession = (reader: Reader): Session => {
  const id = reader.uint()
  const lastUsed = reader.uint()
  const resolved = reader.uint()
  const results = new Map<number, Kept>()
  for (let count = reader.uint(); count > 0; count--) {
    const sequence = reader.uint()
    const failed = reader.bool()
    const message = failed ? reader.text() : ""
    results.set(sequence, { failed, message, data: failed ? noBytes : reader.blob().slice() })
  }
  return { id, lastUsed, resolved, results }
}

const joined = (entries: ReadonlyArray<Entry>): Uint8Array => {
  const bytes = new Uint8Array(entries.reduce((sum, { data }) => sum + data.length, 0))
  let offset = 0
  for (const { data } of entries) {
    bytes.set(data, offset)
    offset += data.length
  }
  return bytes
}
