/**
 * Reads a store that answers later. A read that is not in memory throws `suspend`; its fetch is the attempt's `suspension`.
 *
 * The snapshot is a version, and a position in the chain of local requests once something was read from the overlay
 * (`Chain.ts`). A fetched cell joins the snapshot if it is unchanged since it; otherwise all that was read is checked and
 * the snapshot moves forward, or the attempt is stale.
 */
import * as Effect from "effect/Effect"
import type { Mirror, ReadReply } from "../Backend.ts"
import type { Entry, Range } from "../core/Commit.ts"
import type { JournalEntry, RangeRead } from "../core/Journal.ts"
import type { Key } from "../core/Key.ts"
import type { StoreError } from "../StoreError.ts"
import type { Attempt, Stale } from "./Attempt.ts"
import type { Engine } from "./Engine.ts"
import {
  hasOrigins,
  originOf,
  overwrittenBy,
  unresolvedOrigins,
  versionOf,
  type Overlaid,
  type Pending
} from "./Pending.ts"
import type { Pipeline } from "./Pipeline.ts"
import { isSame, takeFirstTurn, type Reader } from "./Reader.ts"
import { suspend } from "./signals.ts"

/** Waits for local requests in one attempt beyond which it reads the store as it is, without them. */
const overlayWaitsMax = 3

export class AsyncReader implements Reader {
  private readonly engine: Engine
  private readonly pipeline: Pipeline

  constructor(engine: Engine, pipeline: Pipeline) {
    this.engine = engine
    this.pipeline = pipeline
  }

  mayMiss(): boolean {
    return true
  }

  cell(attempt: Attempt, entry: JournalEntry): void {
    const { key } = entry
    if (attempt.version < 0) takeFirstTurn(attempt, key)
    const overlaid = this.pipeline.overlay.get(key)
    if (overlaid === undefined) {
      if (!this.fromMirror(attempt, entry)) this.fetch(attempt, [key], [])
    } else if (isThrough(attempt)) this.readThrough(attempt, [key], [])
    else this.fromOverlay(attempt, entry, overlaid)
  }

  /** Takes a cell that the store has in memory, if that is as of the snapshot; of a new snapshot the end must be checked. */
  private fromMirror(attempt: Attempt, entry: JournalEntry): boolean {
    const mirror = this.mirrorAt(attempt)
    if (mirror === undefined || !mirror.has(entry.key)) return false
    this.adopt(attempt, mirror)
    entry.base = mirror.cell(entry.key)
    entry.origin = undefined
    entry.known = true
    return true
  }

  /** What the store has in memory, if that is as of the snapshot, or if there is none yet. */
  private mirrorAt({ version }: Attempt): Mirror | undefined {
    const { mirror } = this.engine.backend
    if (mirror === undefined) return undefined
    const present = mirror.version()
    return present < 0 || (version >= 0 && version !== present) ? undefined : mirror
  }

  private adopt(attempt: Attempt, mirror: Mirror): void {
    if (attempt.version >= 0) return
    attempt.version = mirror.version()
    attempt.isAdopted = true
    if (this.engine.noticeEpoch(attempt.version)) attempt.doom({ keys: [], ranges: [], local: false })
  }

  /** Reads the write of a local request, or waits for it where the attempt does not stand on the chain. */
  private fromOverlay(attempt: Attempt, entry: JournalEntry, { isPlain, pending, value }: Overlaid): void {
    if (!isPlain || !this.pipeline.chain.isReadable(pending)) this.await(attempt, pending)
    const reached = this.pipeline.chain.reach(attempt)
    if (reached === "elsewhere") this.await(attempt, this.pipeline.newestSent ?? pending)
    else if (reached !== "here") attempt.doom(overwrittenBy(reached))
    entry.base = value === undefined ? undefined : { value, version: 0 }
    entry.origin = pending
    entry.known = true
  }

  private await(attempt: Attempt, pending: Pending): never {
    attempt.overlayWaits++
    attempt.suspension = this.pipeline.resolved(pending)
    throw suspend
  }

  /** Reads the store beside the overlay: only for an attempt that stands on the store alone. */
  private readThrough(attempt: Attempt, keys: ReadonlyArray<Key>, ranges: ReadonlyArray<Range>): never {
    if (hasOrigins(attempt)) attempt.doom({ keys: [], ranges: [], local: true })
    // Nothing of the overlay is in it, whatever its place in the local order.
    attempt.suspension = this.fetched(attempt, { keys, ranges, position: -1 })
    throw suspend
  }

  range(attempt: Attempt, range: Range): ReadonlyArray<Entry> {
    if (attempt.version < 0) takeFirstTurn(attempt, range.reverse === true ? range.end : range.start)
    const fetched = attempt.fetchedRanges?.get(nameOf(range))
    if (fetched !== undefined) {
      attempt.rangePosition = Math.min(attempt.rangePosition, fetched.position)
      return fetched.entries
    }
    const pending = this.pipeline.overlay.newestIn(range.start, range.end)
    if (pending === undefined) {
      const mirror = this.mirrorAt(attempt)
      if (mirror === undefined || !mirror.hasRange(range)) return this.fetch(attempt, [], [range])
      this.adopt(attempt, mirror)
      attempt.rangePosition = Math.min(attempt.rangePosition, this.pipeline.position)
      return mirror.range(range)
    }
    if (isThrough(attempt)) return this.readThrough(attempt, [], [range])
    return this.await(attempt, pending)
  }

  settle(attempt: Attempt, entry: JournalEntry): void {
    const origin = originOf(entry)
    if (origin === undefined) return
    if (!origin.isResolved) {
      attempt.suspension = this.pipeline.resolved(origin)
      throw suspend
    }
    if (origin.status === "failed")
      attempt.doom({ keys: [{ key: entry.key, expected: 0, actual: undefined }], ranges: [], local: true })
    if (entry.base !== undefined) entry.base = { value: entry.base.value, version: origin.version }
  }

  /** Asks for what is not known yet in one trip; what stands in the overlay or in the store's memory needs none. */
  prefetch(attempt: Attempt, keys: ReadonlyArray<Key>, ranges: ReadonlyArray<Range>): void {
    const unknownKeys = keys.filter(
      (key) => attempt.journal.find(key)?.known !== true && this.pipeline.overlay.get(key) === undefined
    )
    const unknownRanges = ranges.filter(
      (range) =>
        attempt.fetchedRanges?.get(nameOf(range)) === undefined &&
        this.pipeline.overlay.newestIn(range.start, range.end) === undefined
    )
    if (unknownKeys.length + unknownRanges.length === 0) return
    const isFirst = attempt.version < 0
    if (isFirst) takeFirstTurn(attempt, unknownKeys[0] ?? unknownRanges[0]!.start)
    const mirror = this.mirrorAt(attempt)
    const farKeys = mirror === undefined ? unknownKeys : unknownKeys.filter((key) => !mirror.has(key))
    const farRanges = mirror === undefined ? unknownRanges : unknownRanges.filter((range) => !mirror.hasRange(range))
    if (farKeys.length + farRanges.length === 0) return
    // A first trip that is made anyway fixes the snapshot, and nothing has to be checked at the end.
    if (isFirst) this.fetch(attempt, unknownKeys, unknownRanges)
    this.fetch(attempt, farKeys, farRanges)
  }

  // Fetching ---------------------------------------------------------------------------------------------------------

  private fetch(attempt: Attempt, keys: ReadonlyArray<Key>, ranges: ReadonlyArray<Range>): never {
    attempt.suspension = this.fetched(attempt, { keys, ranges, position: this.pipeline.position })
    throw suspend
  }

  private fetched(attempt: Attempt, want: Want): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      if (attempt.stale !== undefined || !attempt.active) return Effect.void
      if (attempt.version >= 0) {
        const reached = this.pipeline.chain.reach(attempt)
        // What the overlay showed may be in the store by now: the snapshot must follow it there before it is read again.
        // An attempt that stands on the store alone follows where it can, so that it does not read what is overwritten.
        if (hasOrigins(attempt)) {
          if (reached === "elsewhere") return this.moveAndFetch(attempt, want)
          if (reached !== "here") {
            attempt.stale ??= overwrittenBy(reached)
            return Effect.void
          }
        }
      }
      const { keys, ranges } = want
      const at = attempt.version
      return Effect.flatMap(this.engine.backend.read({ keys, ranges, at: at < 0 ? undefined : at }), (reply) =>
        // Another fiber of the body may have fixed or moved the snapshot meanwhile.
        attempt.version === at ? this.take(attempt, want, reply) : this.moveAndFetch(attempt, want)
      )
    })
  }

  /** Lets a reply join the snapshot. */
  private take(attempt: Attempt, want: Want, reply: ReadReply): Effect.Effect<void, StoreError> {
    if (attempt.version < 0) {
      attempt.version = reply.version
      // What was opened in another life of the store was perhaps lost: the attempt begins again, by opening it anew.
      if (this.engine.noticeEpoch(reply.version)) {
        attempt.stale ??= { keys: [], ranges: [], local: false }
        return Effect.void
      }
    } else if (reply.version !== attempt.version) {
      const { changed } = reply
      if (changed === undefined || changed === "unknown") return this.moveAndFetch(attempt, want)
      if (touches(changed, want)) {
        if (hasOrigins(attempt)) return this.moveAndFetch(attempt, want)
        const read = readIn(attempt, changed)
        if (read !== undefined) {
          attempt.stale ??= { ...read, local: this.pipeline.isLocalSince(attempt.version, reply.version) }
          return Effect.void
        }
        this.move(attempt, reply.version)
      }
    }
    learn(attempt, want, reply.cells, reply.ranges)
    return Effect.void
  }

  /** Reads everything again, together with what is wanted, at one version; if what was read still holds, that is the new snapshot. */
  private moveAndFetch(attempt: Attempt, want: Want): Effect.Effect<void, StoreError> {
    const [open] = unresolvedOrigins(attempt)
    if (open !== undefined) {
      return Effect.flatMap(this.pipeline.resolved(open), () => this.moveAndFetch(attempt, want))
    }
    return Effect.map(this.checkRead(attempt, want), (found) => {
      if (found !== undefined) learn(attempt, want, found.cells, found.ranges)
    })
  }

  /** The end of an attempt without writes that read from memory: whether that still was the present; else `attempt.stale`. */
  confirm(attempt: Attempt): Effect.Effect<void, StoreError> {
    return Effect.flatMap(this.engine.backend.read({ keys: [], ranges: [], at: attempt.version }), ({ version }) => {
      if (version !== attempt.version) return Effect.asVoid(this.checkRead(attempt))
      attempt.isAdopted = false
      return Effect.void
    })
  }

  /**
   * Reads all that the attempt has read once more, and what is wanted with it, and moves the snapshot there. The reply to
   * what is wanted; nothing, and `attempt.stale`, when something changed. All requests it stands on must be resolved.
   */
  checkRead(attempt: Attempt, want: Want = nothing): Effect.Effect<ReadReply | undefined, StoreError> {
    return Effect.suspend(() => {
      const entries = attempt.journal.entries.filter((entry) => entry.read)
      const reads = attempt.journal.ranges?.slice() ?? []
      const request = {
        keys: [...entries.map((entry) => entry.key), ...want.keys],
        ranges: [...reads.map(({ end, start }): Range => ({ start, end })), ...want.ranges]
      }
      const before = attempt.version
      return Effect.flatMap(
        this.engine.backend.read(request),
        (reply): Effect.Effect<ReadReply | undefined, StoreError> => {
          // Another fiber of the body has read something meanwhile: that must be looked at too.
          const isSameSet = attempt.version === before && countReads(attempt) === entries.length + reads.length
          if (!isSameSet) return this.checkRead(attempt, want)
          attempt.stale ??= staleIn(entries, reads, reply, this.pipeline.isLocalSince(attempt.version, reply.version))
          if (attempt.stale !== undefined) return Effect.succeed(undefined)
          entries.forEach((entry, i) => {
            entry.base = reply.cells[i]
            entry.origin = undefined
          })
          this.move(attempt, reply.version)
          const wanted = {
            ...reply,
            cells: reply.cells.slice(entries.length),
            ranges: reply.ranges.slice(reads.length)
          }
          return Effect.succeed(wanted)
        }
      )
    })
  }

  /** What was fetched ahead and not shown is of the old snapshot: forget it. */
  private move(attempt: Attempt, version: number): void {
    attempt.version = version
    attempt.isAdopted = false
    attempt.fetchedRanges = undefined
    for (const entry of attempt.journal.entries) if (!entry.read) entry.known = false
  }
}

/** Whether an attempt waited so often that it now reads the store without the overlay. */
const isThrough = (attempt: Attempt): boolean => attempt.overlayWaits > overlayWaitsMax

const nameOf = ({ end, limit, reverse, start }: Range): string =>
  `${reverse === true ? "-" : "+"}${limit ?? ""}:${start.length}:${start}${end}`

/** Keys and ranges to fetch. */
interface Want {
  readonly keys: ReadonlyArray<Key>
  readonly ranges: ReadonlyArray<Range>
  /** Place in the local order when they were wanted: requests queued later are not in what is fetched. */
  readonly position: number
}

const nothing: Want = { keys: [], ranges: [], position: -1 }

const learn = (
  attempt: Attempt,
  { keys, position, ranges }: Want,
  cells: ReadReply["cells"],
  found: ReadReply["ranges"]
): void => {
  keys.forEach((key, i) => {
    const entry = attempt.journal.entry(key)
    if (entry.known) return
    entry.base = cells[i]
    entry.origin = undefined
    entry.known = true
  })
  if (ranges.length === 0) return
  const fetched = (attempt.fetchedRanges ??= new Map())
  ranges.forEach((range, i) => fetched.set(nameOf(range), { entries: found[i]!, position }))
}

const touches = (changed: ReadonlyArray<Key>, { keys, ranges }: Want): boolean => {
  const wanted = new Set(keys)
  return changed.some((key) => wanted.has(key) || ranges.some(({ end, start }) => key >= start && key < end))
}

const countReads = ({ journal }: Attempt): number =>
  journal.entries.reduce((count, entry) => (entry.read ? count + 1 : count), journal.ranges?.length ?? 0)

/** What of these reads the store's present state contradicts. */
const staleIn = (
  entries: ReadonlyArray<JournalEntry>,
  reads: ReadonlyArray<RangeRead>,
  reply: ReadReply,
  local: boolean
): Stale | undefined => {
  const keys = entries
    .map((entry, i) => ({ entry, actual: reply.cells[i]?.version ?? 0 }))
    .filter(({ actual, entry }) => originOf(entry)?.status === "failed" || actual !== versionOf(entry))
    .map(({ actual, entry }) => ({ key: entry.key, expected: versionOf(entry), actual }))
  const ranges = reads.filter((read, i) => !isSame(reply.ranges[i]!, read))
  return keys.length + ranges.length > 0 ? { keys, ranges, local } : undefined
}

/** What an attempt has read of the keys that changed. */
const readIn = (
  attempt: Attempt,
  changed: ReadonlyArray<Key>
): Pick<NonNullable<Attempt["stale"]>, "keys" | "ranges"> | undefined => {
  const keys = changed
    .filter((key) => attempt.journal.find(key)?.read === true)
    .map((key) => ({ key, expected: attempt.journal.find(key)!.base?.version ?? 0, actual: undefined }))
  const ranges = (attempt.journal.ranges ?? []).filter(({ end, start }) =>
    changed.some((key) => key >= start && key < end)
  )
  return keys.length + ranges.length > 0 ? { keys, ranges } : undefined
}
