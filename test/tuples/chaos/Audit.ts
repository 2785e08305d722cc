/**
 * Judges every hand-over of a space by the log of its store, commit by commit, for a space of which all takes have one
 * template: who was served was first in line, and what was given was the oldest there; whoever took at once passed nobody.
 *
 * One thing is left open on purpose: a tuple that comes *back* may find its place while a hand-over of a younger one is on
 * its way. So against tuples that were never put back the order is exact, and against the others takes at once are.
 */
import { Collection } from "@weft/domain/Collection"
import type { CommitRecord } from "@weft/domain/core/Commit"
import { type Key, prefixEnd } from "@weft/domain/core/Key"
import * as SessionCells from "@weft/domain/core/SessionCells"
import { SpaceKeys, stampOf } from "@weft/tuplespace/internal/SpaceKeys"

/** Stamps that are there, in order. */
class Line {
  readonly stamps: Array<Key> = []

  add(stamp: Key): void {
    let at = this.stamps.length
    while (at > 0 && this.stamps[at - 1]! > stamp) at--
    this.stamps.splice(at, 0, stamp)
  }

  /** Whether it was there. */
  remove(stamp: Key): boolean {
    const at = this.stamps.indexOf(stamp)
    if (at !== -1) this.stamps.splice(at, 1)
    return at !== -1
  }
}

interface Pair {
  readonly ticket: Key
  readonly tuple: Key
}

export class Audit {
  readonly counts = {
    commits: 0,
    out: 0,
    handedOver: 0,
    takenAtOnce: 0,
    putBack: 0,
    tickets: 0,
    leftTheLine: 0,
    gaps: 0
  }
  /** Everything that is wrong. */
  readonly wrong: Array<string> = []
  readonly ranges: ReadonlyArray<{ readonly start: Key; readonly end: Key }>
  private readonly keys: SpaceKeys
  private readonly tuples = new Line()
  private readonly tickets = new Line()
  private readonly inFlight = new Set<Key>()
  private readonly seen = new Set<Key>()
  private readonly cameBack = new Set<Key>()

  constructor(name: string) {
    this.keys = new SpaceKeys(new Collection({ name, kind: "TupleSpace" }))
    const prefixes = [this.keys.tuples, this.keys.tickets, this.keys.inFlight, SessionCells.prefixes.will]
    this.ranges = prefixes.map((start) => ({ start, end: prefixEnd(start) }))
  }

  /** Tuples kept, handed out and not received, and takes in line. */
  get present(): { readonly tuples: number; readonly inFlight: number; readonly tickets: number } {
    return { tuples: this.tuples.stamps.length, inFlight: this.inFlight.size, tickets: this.tickets.stamps.length }
  }

  see({ changes, version }: CommitRecord): void {
    this.counts.commits++
    const { keys } = this
    const put: Array<Key> = []
    const given: Array<Key> = []
    const asked: Array<Key> = []
    const left: Array<Key> = []
    const pairs: Array<Pair> = []
    for (const { after, before, key } of changes) {
      const isIn = (prefix: Key): boolean => key.startsWith(prefix)
      if (isIn(keys.tuples)) {
        if (before === undefined) put.push(stampOf(key))
        else if (after === undefined) given.push(stampOf(key))
      } else if (isIn(keys.tickets)) (after === undefined ? left : asked).push(stampOf(key))
      else if (isIn(keys.inFlight)) {
        if (after === undefined) this.inFlight.delete(stampOf(key))
        else this.inFlight.add(stampOf(key))
      } else if (before !== undefined && after !== undefined) {
        const will = SessionCells.willOf(after.value)
        if (will.kind === "restore") pairs.push({ ticket: stampOf(key), tuple: stampOf(will.inFlight) })
      }
    }
    if (pairs.length > 0) this.handOver(version, pairs, given, left)
    else if (given.length > 0) this.takeAtOnce(version, given)
    this.move(put, given, asked, left, pairs.length)
  }

  private move(put: Array<Key>, given: Array<Key>, asked: Array<Key>, left: Array<Key>, served: number): void {
    for (const stamp of given) this.tuples.remove(stamp)
    for (const stamp of left) this.tickets.remove(stamp)
    for (const stamp of asked) this.tickets.add(stamp)
    for (const stamp of put) {
      this.tuples.add(stamp)
      if (this.seen.has(stamp)) {
        this.counts.putBack++
        this.cameBack.add(stamp)
      } else this.counts.out++
      this.seen.add(stamp)
    }
    this.counts.tickets += asked.length
    this.counts.leftTheLine += left.length - served
  }

  private handOver(
    version: number,
    pairs: ReadonlyArray<Pair>,
    given: ReadonlyArray<Key>,
    left: ReadonlyArray<Key>
  ): void {
    this.counts.handedOver += pairs.length
    const served = pairs.map(({ ticket }) => ticket).sort()
    if (served.length !== left.length || served.length !== given.length) {
      this.say(version, `${served.length} pairs for ${left.length} tickets and ${given.length} tuples`)
    }
    served.forEach((ticket, i) => {
      if (this.tickets.stamps[i] !== ticket) this.say(version, `ticket ${i} served is not the ${i}th in line`)
    })
    const isFresh = (tuple: Key): boolean => !this.cameBack.has(tuple)
    const inOrder = pairs.toSorted((a, b) => (a.ticket < b.ticket ? -1 : 1)).map(({ tuple }) => tuple)
    const fresh = inOrder.filter(isFresh)
    if (fresh.some((tuple, i) => i > 0 && tuple < fresh[i - 1]!))
      this.say(version, "an earlier ticket got a younger tuple")
    const passed = this.tuples.stamps.find((tuple) => isFresh(tuple) && !inOrder.includes(tuple))
    if (passed !== undefined && fresh.some((tuple) => tuple > passed))
      this.say(version, "an older tuple was passed over")
    for (const tuple of inOrder)
      if (!this.tuples.stamps.includes(tuple)) this.say(version, "a tuple that is not there was given")
  }

  private takeAtOnce(version: number, given: ReadonlyArray<Key>): void {
    this.counts.takenAtOnce += given.length
    if (this.tickets.stamps.length > 0) this.say(version, "a take at once passed takers in line")
    given.toSorted().forEach((tuple, i) => {
      if (this.tuples.stamps[i] !== tuple) this.say(version, "a take at once did not get the oldest")
    })
  }

  private say(version: number, what: string): void {
    if (this.wrong.length < 20) this.wrong.push(`commit ${version}: ${what}`)
  }
}
