/**
 * Where an attempt's cells come from, and how its snapshot is kept whole. The synchronous one is here; the one for stores
 * that answer later is `AsyncReader.ts`.
 */
import * as Effect from "effect/Effect"
import type { SyncLane } from "../Backend.ts"
import type { Entry, Range } from "../core/Commit.ts"
import type { JournalEntry, RangeRead } from "../core/Journal.ts"
import type { Key } from "../core/Key.ts"
import type { Attempt } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"
import { suspend } from "./signals.ts"

export interface Reader {
  /** Whether an operation may have to be run again: then its journal must be rolled back first. */
  readonly mayMiss: (attempt: Attempt) => boolean
  /** Makes `entry.base` known as of the attempt's snapshot, or throws `suspend` or `restart`. */
  readonly cell: (attempt: Attempt, entry: JournalEntry) => void
  /**
   * Stored entries of a range as of the attempt's snapshot, or throws `suspend` or `restart`. Lowers
   * `attempt.rangePosition` to the place in the local order up to which requests may be in them.
   */
  readonly range: (attempt: Attempt, range: Range) => ReadonlyArray<Entry>
  /** Makes the version of a cell that was read from a local request known, or throws `suspend` or `restart`. */
  readonly settle: (attempt: Attempt, entry: JournalEntry) => void
  readonly prefetch: (attempt: Attempt, keys: ReadonlyArray<Key>, ranges: ReadonlyArray<Range>) => void
}

/** Reads beyond which a snapshot that had to move once is held in the store, so that moving stays cheap: O(n), not O(n^2). */
const movedReadsMax = 16

/** Reads a store in memory. What is read is compared with the present whenever the store has moved on. */
export class SyncReader implements Reader {
  private readonly engine: Engine
  private readonly sync: SyncLane

  constructor(engine: Engine, sync: SyncLane) {
    this.engine = engine
    this.sync = sync
  }

  mayMiss(attempt: Attempt): boolean {
    return attempt.version < 0 && this.engine.turns.any
  }

  cell(attempt: Attempt, entry: JournalEntry): void {
    const { key } = entry
    const at = this.snapshot(attempt, key)
    entry.base = attempt.held ? this.sync.cellAt(key, at) : this.sync.cell(key)
    entry.known = true
  }

  range(attempt: Attempt, range: Range): ReadonlyArray<Entry> {
    const at = this.snapshot(attempt, range.reverse === true ? range.end : range.start)
    return attempt.held ? this.sync.rangeAt(range, at) : this.sync.range(range)
  }

  settle(): void {}

  prefetch(): void {}

  /** The attempt's snapshot, begun or moved forward as needed. */
  private snapshot(attempt: Attempt, first: Key): number {
    if (attempt.version < 0) this.begin(attempt, first)
    else if (attempt.held) {
      if (!this.sync.holds(attempt.version)) this.lostSnapshot(attempt)
    } else if (this.sync.version() !== attempt.version) this.move(attempt)
    return attempt.version
  }

  private begin(attempt: Attempt, first: Key): void {
    takeFirstTurn(attempt, first)
    attempt.version = this.sync.version()
  }

  /** The store cut this snapshot because it is too old: go on at the present one, if what was read still holds. */
  private lostSnapshot(attempt: Attempt): void {
    attempt.held = false
    this.move(attempt)
  }

  private move(attempt: Attempt): void {
    const { journal } = attempt
    let reads = 0
    for (const entry of journal.entries) {
      if (!entry.read) entry.known = false
      else {
        reads++
        const expected = entry.base === undefined ? 0 : entry.base.version
        const actual = this.sync.cell(entry.key)?.version ?? 0
        if (actual !== expected) {
          attempt.doom({
            keys: [{ key: entry.key, expected, actual }],
            ranges: [],
            local: this.engine.isLocalSince(attempt.version)
          })
        }
      }
    }
    for (const read of journal.ranges ?? []) {
      reads += read.entries.length + 1
      if (!isSame(this.sync.range(read), read)) {
        attempt.doom({ keys: [], ranges: [read], local: this.engine.isLocalSince(attempt.version) })
      }
    }
    if (reads > movedReadsMax) {
      attempt.version = this.sync.openSnapshot()
      attempt.held = true
    } else attempt.version = this.sync.version()
  }

  /** Whether something the attempt read was changed by now. */
  isChanged(attempt: Attempt): boolean {
    if (this.sync.version() === attempt.version) return false
    for (const entry of attempt.journal.entries) {
      if (entry.read && (this.sync.cell(entry.key)?.version ?? 0) !== (entry.base?.version ?? 0)) return true
    }
    return (attempt.journal.ranges ?? []).some((read) => !isSame(this.sync.range(read), read))
  }
}

/** Whether a range still has the entries that were read, in either order. */
export const isSame = (now: ReadonlyArray<Entry>, read: RangeRead): boolean => {
  const { entries } = read
  if (now.length !== entries.length) return false
  const last = entries.length - 1
  const reverse = last > 0 && entries[0]!.key > entries[last]!.key
  for (let i = 0; i <= last; i++) {
    const before = entries[reverse ? last - i : i]!
    if (now[i]!.key !== before.key || now[i]!.cell.version !== before.cell.version) return false
  }
  return true
}

/**
 * Before the snapshot is fixed, a first attempt takes the turn of the first key it reads, if that key was fought over
 * lately: at most one turn, so that two bodies never wait for each other's.
 */
export const takeFirstTurn = (attempt: Attempt, key: Key): void => {
  const { engine, transacting } = attempt
  if (!engine.turns.any || transacting.tookTurn) return
  transacting.tookTurn = true
  if (engine.turns.tryTake(key, transacting, transacting.turns)) return
  attempt.suspension = Effect.callback<void>((resume) => {
    const leave = engine.turns.wait(key, transacting, transacting.turns, () => resume(Effect.void))
    return Effect.sync(leave)
  })
  throw suspend
}
