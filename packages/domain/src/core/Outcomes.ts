/**
 * What became of each request: the memory that makes a resent commit take effect once. Pure (mutable, deterministic).
 *
 * Per session a window of sequences [floor, floor + window): below it everything is forgotten and refused. Sessions are
 * kept in the order of their last recorded request; beyond their limit the least recent are forgotten, and the *horizon*
 * rises to the first version from which a request of an unknown session cannot be one of theirs.
 *
 * Cost: O(1) per outcome and 8 bytes per sequence of the window in use.
 */
import type { Known, SessionView } from "./Apply.ts"
import type { Version } from "./Version.ts"

/** First size of a window; it doubles as sequences stay unresolved. */
const windowMin = 16

class Session implements SessionView {
  readonly name: string
  floor = 0
  /** At sequence & mask: 0 nothing, v + 1 committed at v, -(v + 1) rejected at v. */
  private marks = new Float64Array(windowMin)
  /** One more than the highest sequence recorded. */
  private top = 0
  /** First base that no recorded request can have had: above every base of this session. */
  horizon: Version = 0
  older: Session | undefined
  newer: Session | undefined

  constructor(name: string) {
    this.name = name
  }

  known(sequence: number): Known | undefined {
    const mark = this.mark(sequence)
    return mark === 0 ? undefined : { committed: mark > 0, version: Math.abs(mark) - 1 }
  }

  /** The raw mark of a sequence, see `marks`. */
  mark(sequence: number): number {
    return sequence < this.floor || sequence >= this.top ? 0 : this.marks[sequence % this.marks.length]!
  }

  record(sequence: number, resolvedBelow: number, mark: number, window: number): void {
    const floor = Math.max(this.floor, resolvedBelow, sequence - window + 1)
    if (floor > this.floor) this.lift(floor)
    if (sequence < this.floor) return
    while (sequence - this.floor >= this.marks.length) this.grow()
    this.marks[sequence % this.marks.length] = mark
    if (sequence >= this.top) this.top = sequence + 1
  }

  private lift(floor: number): void {
    const end = Math.min(floor, this.top)
    if (end - this.floor >= this.marks.length) this.marks.fill(0)
    else for (let s = this.floor; s < end; s++) this.marks[s % this.marks.length] = 0
    this.floor = floor
    if (this.top < floor) this.top = floor
  }

  private grow(): void {
    const old = this.marks
    const grown = new Float64Array(old.length * 2)
    for (let s = this.floor; s < this.top; s++) grown[s % grown.length] = old[s % old.length]!
    this.marks = grown
  }
}

/** Outcomes of all sessions of one store. */
export class Outcomes {
  private readonly window: number
  private readonly sessionsMax: number
  private readonly sessions = new Map<string, Session>()
  private oldest: Session | undefined
  private newest: Session | undefined
  /** Oldest base accepted from a session that is not known; `none` until the first session is forgotten. */
  horizon: Version = 0

  constructor(limits: { readonly outcomesPerSession: number; readonly sessions: number }) {
    this.window = limits.outcomesPerSession
    this.sessionsMax = limits.sessions
  }

  get size(): number {
    return this.sessions.size
  }

  session(name: string): Session | undefined {
    const { newest } = this
    return newest !== undefined && newest.name === name ? newest : this.sessions.get(name)
  }

  /**
   * Remembers what became of an id. `version` is that of its reply. A commit was made on a base before its version; any
   * other request may have had the store's present version as its base.
   */
  record(
    name: string,
    sequence: number,
    resolvedBelow: number,
    committed: boolean,
    version: Version,
    tookNumber: boolean
  ): void {
    const session = this.touch(name)
    session.record(sequence, resolvedBelow, committed ? version + 1 : -(version + 1), this.window)
    const horizon = tookNumber ? version : version + 1
    if (horizon > session.horizon) session.horizon = horizon
  }

  /** Forgets the least recent sessions beyond the limit. To be called at the end of a batch. */
  trim(): void {
    while (this.sessions.size > this.sessionsMax) {
      const session = this.oldest!
      this.sessions.delete(session.name)
      this.unlink(session)
      if (session.horizon > this.horizon) this.horizon = session.horizon
    }
  }

  private touch(name: string): Session {
    const { newest } = this
    if (newest !== undefined && newest.name === name) return newest
    let session = this.sessions.get(name)
    if (session === undefined) {
      session = new Session(name)
      this.sessions.set(name, session)
    } else {
      this.unlink(session)
    }
    session.older = this.newest
    if (this.newest !== undefined) this.newest.newer = session
    this.newest = session
    this.oldest ??= session
    return session
  }

  private unlink(session: Session): void {
    if (session.older === undefined) this.oldest = session.newer
    else session.older.newer = session.newer
    if (session.newer === undefined) this.newest = session.older
    else session.newer.older = session.older
    session.older = undefined
    session.newer = undefined
  }
}
