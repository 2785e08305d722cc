/**
 * The chain: on which store version the overlay of local, not yet acknowledged requests stands, and whether an attempt may
 * read from it. State shown from the overlay is *the store at `version`, then the published requests in their order*.
 *
 * While only this process commits, acknowledgements arrive with versions one after another and the chain moves along them
 * (one lineage): `changed` remembers what its requests changed, so an attempt whose snapshot lies on the lineage moves
 * forward without asking the store. When another process's commit comes in between, or too much changed, the lineage ends;
 * readers then wait for the requests instead of reading on top of them.
 */
import type { Key } from "../core/Key.ts"
import { stampBytes } from "../core/KeyCodec.ts"
import type { Version } from "../core/Version.ts"
import type { Attempt } from "./Attempt.ts"
import { originOf, type Overlay, type Overwritten, type Pending } from "./Pending.ts"

/** Keys remembered of one lineage; beyond it a new one begins. */
const changedMax = 4096

export class Chain {
  /** Names the lineage; published requests carry it. */
  lineage = 0
  /** The store's version that the chain stands on; -1: not known yet. */
  version: Version = -1
  private start: Version = -1
  private readonly changed = new Map<Key, Version>()
  /** Published requests of this lineage that are not resolved. */
  private open = 0
  private readonly overlay: Overlay

  constructor(overlay: Overlay) {
    this.overlay = overlay
  }

  /** A new lineage from `version`: attempts and requests of older ones are not chained to it. */
  private restart(version: Version): void {
    this.lineage++
    this.version = version
    this.start = version
    this.changed.clear()
    this.open = 0
  }

  /** Whether bodies may read a request's writes. */
  isReadable(pending: Pending): boolean {
    return pending.lineage === this.lineage
  }

  /**
   * Whether the attempt stands, or could be moved to stand, on the present end of the chain. `stale`: what it read was
   * overwritten by a local request, so it cannot commit.
   */
  reach(attempt: Attempt): "here" | "elsewhere" | Overwritten {
    if (attempt.version < 0) {
      if (this.version < 0) return "elsewhere"
      attempt.version = this.version
      attempt.isAdopted = true
      return "here"
    }
    const from = attempt.version
    if (from < this.start || from > this.version) return "elsewhere"
    for (const entry of attempt.journal.entries) {
      if (!entry.read) {
        // Fetched ahead and not shown yet: it is as of `from`, so it is fetched again unless nothing changed it.
        if (entry.known && this.isOverwritten(entry.key, from)) entry.known = false
        continue
      }
      const origin = originOf(entry)
      if (origin?.status === "failed") return { key: entry.key }
      if (origin?.status === "committed" && origin.version > this.version) return "elsewhere"
      const newest = this.overlay.get(entry.key)?.pending
      if (newest !== undefined) {
        if (newest !== origin) return { key: entry.key }
      } else if ((this.changed.get(entry.key) ?? -1) > Math.max(from, origin?.version ?? -1)) return { key: entry.key }
    }
    const { ranges } = attempt.journal
    if (ranges !== undefined) {
      for (const range of ranges) {
        const newest = this.overlay.newestIn(range.start, range.end)
        if (newest !== undefined && newest.position > range.position) return range
        // On the end of the chain already: nothing in `changed` is younger, and it may be long.
        if (from === this.version) continue
        for (const [key, version] of this.changed) {
          if (version > from && key >= range.start && key < range.end) return range
        }
      }
    }
    if (attempt.version !== this.version) {
      attempt.version = this.version
      // Ranges fetched ahead and not shown yet are of the old snapshot.
      attempt.fetchedRanges = undefined
    }
    return "here"
  }

  /** What a request would read that a local one before it overwrites; such a request is hopeless. */
  overwritten(attempt: Attempt): Overwritten | undefined {
    for (const entry of attempt.journal.entries) {
      if (!entry.read) continue
      const origin = originOf(entry)
      const newest = this.overlay.get(entry.key)?.pending
      if (origin?.status === "failed" || (newest !== undefined && newest !== origin)) return { key: entry.key }
    }
    for (const range of attempt.journal.ranges ?? []) {
      const newest = this.overlay.newestIn(range.start, range.end)
      if (newest !== undefined && newest.position > range.position) return range
    }
    return undefined
  }

  private isOverwritten(key: Key, since: Version): boolean {
    return this.overlay.get(key) !== undefined || (this.changed.get(key) ?? -1) > since
  }

  /**
   * Publishes a request whose reads hold on the chain: `standsHere` says that `reach` found so. With nothing open, its own
   * snapshot may begin a lineage, unless it stands on requests of an older one.
   */
  publish(pending: Pending, standsHere: boolean, known: Version): void {
    if (!standsHere) {
      if (this.open > 0 || pending.reads.some((entry) => entry.origin !== undefined)) return
      const version = pending.base >= 0 ? pending.base : known
      // Never back to an older state: what was shown since would be missing in it.
      if (version < 0 || version < this.version) return
      this.restart(version)
    }
    pending.lineage = this.lineage
    this.open++
  }

  /** A published request is resolved. */
  private close(pending: Pending): void {
    if (pending.lineage === this.lineage) this.open--
  }

  /** A request took effect. Acknowledgements are told in the order of the batch. */
  committed(pending: Pending, version: Version): void {
    this.close(pending)
    if (version <= this.version) return
    if (this.version < 0 || version !== this.version + 1 || this.changed.size > changedMax) {
      this.restart(version)
      return
    }
    this.version = version
    for (const write of pending.writes) {
      if (write._tag === "DeleteRange") {
        this.restart(version)
        return
      }
      if (write._tag === "Append") {
        this.changed.set(write.prefix + stampBytes(version, write.index) + write.suffix, version)
      } else this.changed.set(write.key, version)
    }
  }

  /** A request had no effect. */
  failed(pending: Pending): void {
    this.close(pending)
  }
}
