/**
 * Turns across processes: cells `(null, "turn", stamp)`, each naming what its transaction guards. They queue by stamp. The
 * engine that wrote one goes ahead when no earlier one meets its own; engines whose writes meet one hold them back; and one
 * that is not renewed for `turnLimitMillis` on an observer's own clock is removed by the observer, in a commit that fails if
 * it is gone or renewed. All of it is a matter of fairness: what is committed is decided by versions alone.
 *
 * Cells are looked for only after somebody else's commit was noticed, so an engine that is alone never pays for them.
 */
import * as Effect from "effect/Effect"
import type { Cell, Entry } from "../core/Commit.ts"
import { fromValue, turnPrefix, turnPrefixEnd, type Footprint } from "../core/Footprint.ts"
import { Journal } from "../core/Journal.ts"
import type { Key } from "../core/Key.ts"
import { placeholderStamp, stampBytes } from "../core/KeyCodec.ts"
import type { Version } from "../core/Version.ts"
import type { StoreError } from "../StoreError.ts"
import type { Engine } from "./Engine.ts"

interface Seen {
  readonly key: Key
  readonly cell: Cell
  readonly session: string
  readonly footprint: Footprint
  /** When this engine met it first, by its own monotonic clock. */
  readonly sinceNanos: bigint
}

const turns = { start: turnPrefix, end: turnPrefixEnd }

/** Pause between looks at the turn cells while there are any, in milliseconds. */
const lookMillis = 5

/** A ticket is renewed four times per limit, so its holder has ten limits to get through. */
const renewalsMax = 40

/** Tries to remove an own ticket that a last renewal may still change. */
const removalsMax = 4

export class Tickets {
  private readonly engine: Engine
  private seen = new Map<Key, Seen>()
  /** The store's version at the last look. */
  private lookedAt: Version = -1
  private watching = false
  /** Tickets of this engine that are still wanted. */
  private readonly own = new Set<Key>()

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** On a store in memory: looks if anybody else has committed since the last look. One comparison when not. */
  refreshSync(): void {
    const { engine } = this
    const sync = engine.sync!
    const version = sync.version()
    if (version === engine.lastVersion || version === this.lookedAt) return
    this.lookedAt = version
    const entries = sync.range(turns)
    if (entries.length > 0 || this.seen.size > 0) this.take(entries, engine.clock().monotonicTimeNanosUnsafe())
  }

  /** Somebody else's commit was noticed on a store that answers later. At most one look is under way. */
  notice(): void {
    if (this.watching) return
    this.watching = true
    this.engine.fork(this.watch)
  }

  /** Looks again and again while there are turn cells, breaking those that stay too long. */
  private readonly watch: Effect.Effect<void> = Effect.suspend(() =>
    Effect.matchEffect(this.look, {
      onSuccess: (): Effect.Effect<void> => {
        if (this.seen.size > 0) return Effect.flatMap(Effect.sleep(lookMillis), () => this.watch)
        this.watching = false
        return Effect.void
      },
      onFailure: (): Effect.Effect<void> => {
        this.seen.clear()
        this.publish()
        this.watching = false
        return Effect.void
      }
    })
  )

  private readonly look: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    Effect.flatMap(this.engine.backend.read({ keys: [], ranges: [turns] }), (reply) => {
      const now = this.engine.clock().monotonicTimeNanosUnsafe()
      this.take(reply.ranges[0]!, now)
      const late = [...this.seen.values()].filter(
        ({ sinceNanos }) => now - sinceNanos > BigInt(this.engine.options.turnLimitMillis) * 1_000_000n
      )
      return Effect.forEach(late, (ticket) => this.remove(ticket.key, ticket.cell), { discard: true })
    })
  )

  private take(entries: ReadonlyArray<Entry>, now: bigint): void {
    const seen = new Map<Key, Seen>()
    for (const { cell, key } of entries) {
      const before = this.seen.get(key)
      if (before?.cell.version === cell.version) seen.set(key, before)
      else {
        const said = fromValue(cell.value)
        if (said !== undefined) seen.set(key, { key, cell, ...said, sinceNanos: now })
      }
    }
    this.seen = seen
    this.publish()
    if (seen.size > 0) this.notice()
  }

  private publish(): void {
    const foreign = [...this.seen.values()].filter(({ session }) => session !== this.engine.session)
    this.engine.guards.setForeign(foreign.map(({ footprint }) => footprint))
  }

  /** Appends a ticket and waits until no earlier one meets it. The key of the ticket, to be given to `leave`. */
  enter(footprint: Footprint): Effect.Effect<Key, StoreError> {
    const { engine } = this
    return Effect.gen({ self: this }, function* () {
      const value = footprint.toValue(engine.session)
      const journal = new Journal()
      journal.append(turnPrefix + placeholderStamp(0), { prefix: turnPrefix, index: 0, suffix: "" }, value)
      // It reads nothing, so nothing can have changed: only a new epoch can refuse it.
      const version = (yield* engine.commitJournal(journal)) ?? (yield* engine.commitJournal(journal)) ?? 0
      const key = turnPrefix + stampBytes(version, 0)
      this.own.add(key)
      engine.fork(this.renew(key, { value, version }, renewalsMax))
      return yield* Effect.onInterrupt(this.waitTurn(key, footprint), () => Effect.sync(() => this.leave(key)))
    })
  }

  private waitTurn(key: Key, footprint: Footprint): Effect.Effect<Key, StoreError> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        yield* this.look
        const earlier = [...this.seen.values()].some(
          (ticket) => ticket.key < key && ticket.footprint.meetsOther(footprint)
        )
        if (!earlier || !this.own.has(key)) return key
        yield* Effect.sleep(lookMillis)
      }
    })
  }

  /** Shows observers that the holder lives: a ticket that is not renewed is removed by anyone. */
  private renew(key: Key, cell: Cell, left: number): Effect.Effect<void, StoreError> {
    return Effect.flatMap(Effect.sleep(this.engine.options.turnLimitMillis / 4), () => {
      if (!this.own.has(key)) return Effect.void
      if (left === 0) return Effect.sync(() => this.leave(key))
      const journal = new Journal()
      const entry = journal.entry(key)
      entry.base = cell
      entry.read = true
      journal.set(key, cell.value)
      return Effect.flatMap(this.engine.commitJournal(journal), (version) => {
        if (version !== undefined) return this.renew(key, { value: cell.value, version }, left - 1)
        this.own.delete(key)
        return Effect.void
      })
    })
  }

  /** Removes an own ticket, in the store's scope: its transaction does not wait for it. */
  leave(key: Key): void {
    this.own.delete(key)
    this.engine.fork(this.removeOwn(key, removalsMax))
  }

  private removeOwn(key: Key, left: number): Effect.Effect<void, StoreError> {
    return Effect.flatMap(this.engine.backend.read({ keys: [key], ranges: [] }), ({ cells: [cell] }) => {
      if (cell === undefined || left === 0) return Effect.void
      return Effect.andThen(this.remove(key, cell), this.removeOwn(key, left - 1))
    })
  }

  private remove(key: Key, cell: Cell): Effect.Effect<void> {
    const journal = new Journal()
    const entry = journal.entry(key)
    entry.base = cell
    entry.read = true
    journal.delete(key)
    return Effect.ignore(this.engine.commitJournal(journal))
  }
}
