/**
 * What an observer knows of other sessions: for how long it has *seen* each one not move. Pure: times come in, the
 * sessions that are due to be removed go out.
 *
 * A session is due when its bump stayed the same over a full lease of the observer's monotonic clock, counted only over
 * stretches between two successful reads of one store life: an outage, a new epoch or a pause of the observer itself
 * counts for nothing, so that an outage longer than a lease removes nobody. Being due is no proof of death: the removal is
 * a commit that fails when the session moved after all.
 */
import { epochOf, type Version } from "./Version.ts"

interface Seen {
  bump: number
  stillMillis: number
}

/** One observer. Feed it every read of all bumps, and every failure to read. */
export class Observation {
  readonly #leaseMillis: number
  readonly #seen = new Map<string, Seen>()
  #lastMillis: number | undefined = undefined
  #epoch = -1

  constructor(leaseMillis: number) {
    this.#leaseMillis = leaseMillis
  }

  /** A read failed: the stretch since the last one does not count. */
  failed(): void {
    this.#lastMillis = undefined
  }

  /**
   * All bumps as read now: the sessions whose time is over, with the bump they stood at. Of one stretch at most half a lease
   * counts, so that a pause of this very process is not taken for silence of the others.
   */
  read(
    nowMillis: number,
    version: Version,
    bumps: Iterable<readonly [sid: string, bump: number]>
  ): ReadonlyArray<readonly [sid: string, bump: number]> {
    const epoch = epochOf(version)
    if (epoch !== this.#epoch) this.#seen.clear()
    const stretch =
      this.#lastMillis === undefined || epoch !== this.#epoch
        ? 0
        : Math.min(nowMillis - this.#lastMillis, this.#leaseMillis / 2)
    this.#epoch = epoch
    this.#lastMillis = nowMillis
    const due: Array<readonly [string, number]> = []
    const present = new Set<string>()
    for (const [sid, bump] of bumps) {
      present.add(sid)
      const seen = this.#seen.get(sid)
      if (seen === undefined || seen.bump !== bump) {
        this.#seen.set(sid, { bump, stillMillis: 0 })
        continue
      }
      seen.stillMillis += stretch
      if (seen.stillMillis >= this.#leaseMillis) due.push([sid, bump])
    }
    for (const sid of this.#seen.keys()) if (!present.has(sid)) this.#seen.delete(sid)
    return due
  }
}
