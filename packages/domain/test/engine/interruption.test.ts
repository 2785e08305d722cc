/**
 * Interruption at every suspension point of a transaction, enumerated: a first run counts the points at which its fiber or
 * the store's is suspended on its behalf; then it is run once for each, interrupted exactly there. Afterwards either nothing
 * is there or all of it, and whoever interrupted knows which: `onCommit` ran, or it did not, or the cause says
 * `CommitUnknown` with an id whose outcome is the truth.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import { raw } from "./support.ts"

/** Counts points, and interrupts a fiber at one of them. */
class Points {
  seen: Array<string> = []
  private readonly at: number
  victim: Fiber.Fiber<any, any> | undefined = undefined

  constructor(at: number) {
    this.at = at
  }

  /** A suspension point: whoever waits here gives way for a turn. */
  readonly pass = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.seen.push(name)
      if (this.seen.length - 1 === this.at) this.victim?.interruptUnsafe()
      return Effect.yieldNow
    })
}

/** A store each of whose answers is suspended before and after it is worked out. */
const suspended = (inner: Backend["Service"], points: () => Points, hang: () => boolean): Backend["Service"] => ({
  capabilities: inner.capabilities,
  read: (request) =>
    Effect.gen(function* () {
      yield* points().pass("read asked")
      const reply = yield* inner.read(request)
      yield* points().pass("read answered")
      return reply
    }),
  commit: (requests) =>
    Effect.gen(function* () {
      yield* points().pass("commit sent")
      const replies = yield* inner.commit(requests)
      yield* points().pass("commit applied")
      if (hang()) yield* Effect.sleep(60)
      yield* points().pass("commit answered")
      return replies
    }),
  changes: inner.changes,
  outcome: inner.outcome
})

interface Seen {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly told: boolean
  readonly a: number
  readonly b: number
  readonly outcome: string | undefined
  readonly points: ReadonlyArray<string>
  readonly after: number
}

const interruptAt = (at: number, options: { readonly sync: boolean; readonly hangs: boolean }): Promise<Seen> => {
  const inner = MemoryBackend.make()
  let points = new Points(-1)
  let hanging = false
  const backend = options.sync
    ? inner
    : suspended(
        inner,
        () => points,
        () => hanging
      )
  const layer = Store.layer(Layer.succeed(Backend, backend), { commitGraceMillis: options.hangs ? 10 : 1_000 })
  return Effect.runPromise(
    Effect.gen(function* () {
      yield* raw.set("a", 1)
      points = new Points(at)
      let told = false
      const body = Effect.gen(function* () {
        yield* points.pass("body begun")
        const a = yield* raw.get("a")
        yield* points.pass("between")
        yield* raw.set("a", a + 1)
        yield* raw.set("b", a + 1)
        yield* Tx.onCommit(
          Effect.andThen(
            points.pass("told"),
            Effect.sync(() => {
              told = true
            })
          )
        )
        // The body's end: the next suspension is the wait for the batch to be sent.
        queueMicrotask(() => {
          points.seen.push("queued")
          if (points.seen.length - 1 === at) points.victim?.interruptUnsafe()
        })
      })
      hanging = options.hangs
      const fiber = yield* Effect.forkChild(Tx.transact(body))
      points.victim = fiber
      const exit = yield* Fiber.await(fiber)
      const unknown = Exit.isFailure(exit)
        ? exit.cause.reasons.filter(Cause.isFailReason).find((reason) => reason.error instanceof StoreError)
        : undefined
      let outcome: string | undefined
      const reason = unknown === undefined ? undefined : (unknown.error as StoreError).reason
      hanging = false
      if (reason?._tag === "CommitUnknown") {
        outcome = (yield* Store.outcome({ session: reason.session, sequence: reason.sequence }))._tag
      }
      const cells = yield* inner.read({ keys: ["a", "b"], ranges: [] })
      const [a, b] = cells.cells.map((cell) =>
        cell === undefined ? 0 : Number(new TextDecoder().decode(cell.value.bytes))
      )
      const seen = points.seen.slice()
      points = new Points(-1)
      // Nothing is left behind that would hold up the next one: no turn, no waiter, no guard.
      yield* Tx.transactWith(
        Effect.flatMap(raw.get("a"), (n) => raw.set("a", n + 100)),
        { timeout: "5 seconds" }
      )
      return { exit, told, a: a!, b: b!, outcome, points: seen, after: yield* raw.get("a") }
    }).pipe(Effect.provide(layer))
  )
}

const courses = [
  {
    name: "in memory",
    sync: true,
    hangs: false,
    verdicts: ["body begun: none", "between: none", "told: whole", "queued: whole"]
  },
  {
    name: "answering later",
    sync: false,
    hangs: false,
    verdicts: [
      "read asked: none",
      "body begun: none",
      "read answered: none",
      "read asked: none",
      "read answered: none",
      "between: none",
      "queued: none",
      "commit sent: whole",
      "commit applied: whole",
      "commit answered: whole",
      "told: whole"
    ]
  },
  {
    name: "answering after the grace",
    sync: false,
    hangs: true,
    verdicts: [
      "read asked: none",
      "body begun: none",
      "read answered: none",
      "read asked: none",
      "read answered: none",
      "between: none",
      "queued: none",
      "commit sent: whole, unknown",
      "commit applied: whole, unknown",
      "commit answered: whole",
      "told: whole"
    ]
  }
]

for (const course of courses) {
  describe(`interruption at every suspension point, ${course.name}`, () => {
    it("leaves nothing or all of it, and tells which", async () => {
      const whole = await interruptAt(-1, course)
      expect(Exit.isSuccess(whole.exit)).toBe(true)
      expect([whole.a, whole.b, whole.told]).toEqual([2, 2, true])
      const verdicts: Array<string> = []
      for (let at = 0; at < whole.points.length; at++) {
        const name = whole.points[at]!
        const seen = await interruptAt(at, course)
        const isWhole = seen.a === 2 && seen.b === 2
        const isNone = seen.a === 1 && seen.b === 0
        expect(isWhole || isNone, `${name}: a ${seen.a}, b ${seen.b}`).toBe(true)
        expect(Exit.isFailure(seen.exit) || seen.told, name).toBe(true)
        if (seen.outcome !== undefined) expect(seen.outcome, name).toBe(isWhole ? "Committed" : "Rejected")
        else expect(seen.told, `${name}: told ${seen.told}, whole ${isWhole}`).toBe(isWhole)
        expect(seen.after, name).toBe(seen.a + 100)
        verdicts.push(`${name}: ${isWhole ? "whole" : "none"}${seen.outcome === undefined ? "" : ", unknown"}`)
      }
      expect(verdicts).toEqual(course.verdicts)
    })
  })
}
