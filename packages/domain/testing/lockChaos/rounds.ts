/** How long what the dead left behind stays, counted in an observer's own rounds. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Cells from "../../src/core/SessionCells.ts"
import { prefixEnd } from "../../src/core/Key.ts"
import * as Operation from "../../src/internal/Operation.ts"
import * as Sessions from "../../src/Sessions.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"

/** Cells of a session and of what hangs on it: 0 when nothing is left. */
export const leftOf = (sid: string): Effect.Effect<number, StoreError, Store> =>
  Operation.make(Store, "chaos.left", (tx) => {
    const start = Cells.willPrefix(sid)
    const wills = tx.range({ start, end: prefixEnd(start), limit: 100 }).length
    return wills + Number(tx.get(Cells.existsKey(sid)) !== undefined)
  })

/** Two leases, in rounds. */
export const roundsMax = 8

/**
 * An observer among others: it has a session, so it removes the dead, and looks each quarter of a lease of its clock at
 * those it was told of. A machine that is busy slows its clock and its looks alike.
 */
export class Rounds {
  /** Rounds a dead session was seen in, the most of all so far; two leases are `roundsMax`. */
  worst = 0
  /** Dead sessions that are gone. */
  gone = 0
  private readonly dead = new Map<string, number>()

  get waiting(): number {
    return this.dead.size
  }

  died(sid: string): void {
    this.dead.set(sid, 0)
  }

  readonly run = (leaseMillis: number): Effect.Effect<never, StoreError, Store> =>
    Effect.gen({ self: this }, function* () {
      yield* Sessions.current(Store)
      for (;;) {
        yield* Effect.sleep(Duration.millis(leaseMillis / 4))
        for (const [sid, rounds] of this.dead) {
          if ((yield* leftOf(sid)) === 0) {
            this.dead.delete(sid)
            this.gone++
          } else {
            this.dead.set(sid, rounds + 1)
            this.worst = Math.max(this.worst, rounds + 1)
          }
        }
      }
    }).pipe(Effect.provideService(Sessions.Lease, Duration.millis(leaseMillis)))
}
