/**
 * Guards: a transaction that lost several times gets through, because writes that meet what it reads are held back until
 * it has ended. Never for correctness: a guard whose holder has read nothing more for `guardHoldMillis` is passed by, and
 * any at all after `renewalsMax` times as long.
 *
 * In this process one transaction at a time has the guard, the oldest first; it covers what was read in lost attempts and
 * grows with every read of the running one, so nothing local can invalidate it any more. Turn cells of other engines
 * (`Tickets.ts`) are guards too.
 */
import * as Effect from "effect/Effect"
import type { Write } from "../core/Commit.ts"
import type { Footprint } from "../core/Footprint.ts"
import type { Key } from "../core/Key.ts"
import type { TurnTaker } from "./Turns.ts"

/** A transaction that may hold the local guard. */
export interface Guarded extends TurnTaker {
  /** What it reads and has read. */
  readonly footprint: Footprint | undefined
  /** How much its running attempt has read so far: it goes on as long as this changes. */
  readonly reads: number
  /** Its turn cell, if it has one. */
  readonly ticket: Key | undefined
}

/** How often the guard of a holder that reads on is prolonged, each time by `guardHoldMillis`. */
const renewalsMax = 30

interface Queued {
  readonly guarded: Guarded
  readonly granted: () => void
}

export class Guards {
  private holder: Guarded | undefined = undefined
  private met = false
  private metReads = 0
  private renewals = 0
  private readonly queue: Array<Queued> = []
  private readonly blocked: Set<() => void> = new Set()
  private foreign: ReadonlyArray<Footprint> = []
  private sweeping = false
  private readonly startSweep: () => void

  /** `startSweep` must call `sweep` every `guardHoldMillis` until it answers `false`. */
  constructor(startSweep: () => void) {
    this.startSweep = startSweep
  }

  /** Whether any write may have to wait. */
  get any(): boolean {
    return this.holder !== undefined || this.foreign.length > 0
  }

  /** Whether these writes of `by` meet what another guards. Who has a turn cell itself waited for the earlier ones. */
  blocks(by: Guarded, writes: ReadonlyArray<Write>): boolean {
    if (this.holder !== undefined && this.holder !== by && this.holder.footprint?.meets(writes) === true) return true
    return by.ticket === undefined && this.foreign.some((footprint) => footprint.meets(writes))
  }

  /** Ends when some guard has ended or changed. */
  readonly changed: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const wake = (): void => resume(Effect.void)
    this.blocked.add(wake)
    this.ensureSweep()
    return Effect.sync(() => {
      this.blocked.delete(wake)
    })
  })

  /** Waits for the local guard and takes it. */
  acquire(guarded: Guarded): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.holder === undefined || this.holder === guarded) {
        this.holder = guarded
        this.met = false
        this.renewals = 0
        resume(Effect.void)
        return undefined
      }
      const queued: Queued = { guarded, granted: () => resume(Effect.void) }
      let at = this.queue.length
      while (at > 0 && this.queue[at - 1]!.guarded.birth > guarded.birth) at--
      this.queue.splice(at, 0, queued)
      this.ensureSweep()
      return Effect.sync(() => {
        const index = this.queue.indexOf(queued)
        if (index >= 0) this.queue.splice(index, 1)
      })
    })
  }

  release(guarded: Guarded): void {
    if (this.holder === guarded) this.pass()
  }

  /** What other engines guard now. */
  setForeign(foreign: ReadonlyArray<Footprint>): void {
    if (this.foreign.length === 0 && foreign.length === 0) return
    this.foreign = foreign
    this.wakeBlocked()
  }

  /** Takes the guard from a holder that it met before. `false` when nobody waits. */
  sweep(): boolean {
    const { holder } = this
    const readsOn = holder !== undefined && holder.reads !== this.metReads && this.renewals++ < renewalsMax
    if (holder !== undefined && this.met && !readsOn) this.pass()
    else {
      this.met = true
      this.metReads = holder?.reads ?? 0
    }
    this.sweeping = this.queue.length > 0 || (this.holder !== undefined && this.blocked.size > 0)
    return this.sweeping
  }

  private pass(): void {
    const next = this.queue.shift()
    this.holder = next?.guarded
    this.met = false
    this.renewals = 0
    next?.granted()
    this.wakeBlocked()
  }

  private wakeBlocked(): void {
    const blocked = [...this.blocked]
    this.blocked.clear()
    for (const wake of blocked) wake()
  }

  private ensureSweep(): void {
    if (this.sweeping || this.holder === undefined) return
    this.sweeping = true
    this.startSweep()
  }
}
