/**
 * The oracle: the plainest store there can be, `apply` over a map and a list. Pure (mutable). Slow on purpose; every
 * other store is held against it.
 */
import * as Apply from "../../src/core/Apply.ts"
import type { CommitId, CommitRecord, CommitRequest, Cell, Entry, Outcome, Reply } from "../../src/core/Commit.ts"
import type { Key } from "../../src/core/Key.ts"
import * as Limits from "../../src/core/Limits.ts"
import { sealRequest } from "../../src/core/Machine.ts"
import * as Version from "../../src/core/Version.ts"

interface Session {
  floor: number
  readonly known: Map<number, Apply.Known>
}

export class Model implements Apply.View {
  readonly limits: Limits.Limits
  /** Sessions are never forgotten here, so no base is too old for that. */
  readonly horizon = Version.none
  version: Version.Version
  readonly cells = new Map<Key, Cell>()
  readonly commits: Array<CommitRecord> = []
  private readonly sessions = new Map<string, Session>()
  /** Versions up to this one are not remembered. */
  private readonly begin: Version.Version

  constructor(limits: Partial<Limits.Limits> = {}, version: Version.Version = Version.none) {
    this.limits = Limits.make(limits)
    this.version = version
    this.begin = version
  }

  cell(key: Key): Cell | undefined {
    return this.cells.get(key)
  }

  entries(start: Key, end: Key): ReadonlyArray<Entry> {
    return [...this.cells]
      .filter(([key]) => start <= key && key < end)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, cell]) => ({ key, cell }))
  }

  changed(start: Key, end: Key, since: Version.Version): boolean | undefined {
    if (since > this.version || since < this.floor) return undefined
    return this.commits.some(
      ({ changes, version }) => version > since && changes.some(({ key }) => start <= key && key < end)
    )
  }

  /** The version before the oldest commit that is remembered. */
  get floor(): Version.Version {
    return Math.max(this.begin, this.version - this.limits.recentCommits)
  }

  session(name: string): Apply.SessionView | undefined {
    const session = this.sessions.get(name)
    return session && { floor: session.floor, known: (sequence) => session.known.get(sequence) }
  }

  commit(batch: ReadonlyArray<CommitRequest>): ReadonlyArray<Reply> {
    const { delta, replies } = Apply.apply(this, batch)
    this.version = delta.version
    for (const [key, cell] of delta.cells) {
      if (cell === undefined) this.cells.delete(key)
      else this.cells.set(key, cell)
    }
    this.commits.push(...delta.commits)
    for (const { committed, id, resolvedBelow, version } of delta.outcomes) {
      const session = this.sessions.get(id.session) ?? { floor: 0, known: new Map<number, Apply.Known>() }
      session.floor = Math.max(session.floor, resolvedBelow, id.sequence - this.limits.outcomesPerSession + 1)
      session.known.set(id.sequence, { committed, version })
      this.sessions.set(id.session, session)
    }
    return replies
  }

  outcome(id: CommitId): Outcome {
    const [reply] = this.commit([sealRequest(id, Version.none)])
    if (reply!._tag === "Committed") return { _tag: "Committed", version: reply!.version }
    return reply!._tag === "Conflict" ? { _tag: "Rejected" } : { _tag: "Forgotten" }
  }
}
