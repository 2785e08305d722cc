/**
 * The suite of sessions on any store, by two engines as of two processes: signs of life, the end of the silent and what
 * becomes of their wills, loss, and names. A third party's store runs it as
 *
 * ```ts
 * SessionSuite.suite("mine", { processes: Effect.all([Layer.build(first), Layer.build(second)]) })
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { assert, describe, it } from "@effect/vitest"
import { encode, encodePart } from "../src/core/KeyCodec.ts"
import * as SessionCells from "../src/core/SessionCells.ts"
import * as Operation from "../src/internal/Operation.ts"
import * as sessionOps from "../src/internal/sessionOps.ts"
import type { TxView } from "../src/internal/TxView.ts"
import * as Sessions from "../src/Sessions.ts"
import { Store } from "../src/Store.ts"
import { atEveryYield } from "./Interruptions.ts"

type Process = Context.Context<Store>

export interface Options {
  /** Two engines, as of two processes, on one store of its own. */
  readonly processes: Effect.Effect<readonly [Process, Process], unknown, Scope.Scope>
}

/** Short, so that the silent are found soon; a busy machine must still get four bumps into it. */
const lease = "1 second"

const operation = <A>(run: (tx: TxView) => A) => Operation.make(Store, "suite", run)
const isThere = (sid: string) => operation((tx) => sessionOps.exists(tx, sid))
const bumpsOf = (sid: string) =>
  operation((tx) => {
    const value = tx.get(SessionCells.bumpKey(sid))
    return value === undefined ? -1 : SessionCells.bumpOf(value)
  })

/** What hangs on a session in these tests: a cell that its end deletes. */
const hung = (name: string) => encode([null, "suite", name])
const hang = (sid: string, name: string) =>
  operation((tx) => {
    tx.set(hung(name), SessionCells.bumpValue(1))
    const will = SessionCells.willValue({ kind: "remove", keys: [hung(name)] })
    tx.set(SessionCells.willPrefix(sid) + encodePart(name), will)
  })
const hangs = (name: string) => operation((tx) => tx.get(hung(name)) !== undefined)

const until = <E, R>(look: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(look, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(5), until(look))))

/** As an observer does that saw no bump for a lease. */
const takeForDead = (sid: string) => Effect.flatMap(bumpsOf(sid), (bump) => Sessions.remove(Store, sid, bump))

const tests = ({ processes }: Options) => {
  const test = (title: string, body: (a: Process, b: Process) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(title, () => Effect.scoped(Effect.flatMap(processes, ([a, b]) => body(a, b))), 30_000)
  const on =
    (process: Process) =>
    <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Store>> =>
      Effect.provideContext(self, process) as Effect.Effect<A, E, Exclude<R, Store>>

  return { test, on }
}

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  describe(name, () => {
    lifeTests(options)
    lossTests(options)
    nameTests(options)
  })
}

const lifeTests = (options: Options): void => {
  const { on, test } = tests(options)

  test("one that gives signs of life is left alone by those who observe it, for many leases", (a, b) =>
    Effect.gen(function* () {
      const session = yield* on(a)(Sessions.make({ lease }))
      yield* on(b)(Sessions.make({ lease }))
      // Four bumps are a lease.
      yield* until(Effect.map(on(b)(bumpsOf(session.id)), (bumps) => bumps >= 12))
      assert.isFalse(session.isLost())
      assert.isTrue(yield* on(b)(isThere(session.id)))
    }))

  test("one that gives none is removed by any process that has a session, and its wills are done", (a, b) =>
    Effect.gen(function* () {
      // Of a process that died: there are its cells, and nobody who bumps.
      yield* on(a)(operation((tx) => sessionOps.open(tx, "dead")))
      for (let i = 0; i < 70; i++) yield* on(a)(hang("dead", `d${i}`))
      const living = yield* on(b)(Sessions.make({ lease }))
      yield* on(a)(hang(living.id, "living"))
      yield* until(Effect.map(on(a)(isThere("dead")), (is) => !is))
      for (let i = 0; i < 70; i++) yield* until(Effect.map(on(a)(hangs(`d${i}`)), (is) => !is))
      assert.isTrue(yield* on(a)(hangs("living")))
      assert.isFalse(living.isLost())
    }))

  test("wills whose observer died before it did them are done by the next one", (a, b) =>
    Effect.gen(function* () {
      yield* on(a)(hang("long gone", "left"))
      yield* on(b)(Sessions.make({ lease: "40 millis" }))
      yield* until(Effect.map(on(a)(hangs("left")), (is) => !is))
    }))

  test("one that is closed leaves nothing, and the others alone", (a, b) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const closed = yield* on(a)(Scope.provide(Sessions.make({ lease }), scope))
      const kept = yield* on(a)(Sessions.make({ lease }))
      yield* on(a)(Effect.andThen(hang(closed.id, "closed"), hang(kept.id, "kept")))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(closed.isLost())
      assert.isFalse(yield* on(b)(isThere(closed.id)))
      assert.isFalse(yield* on(b)(hangs("closed")))
      assert.isTrue(yield* on(b)(isThere(kept.id)))
      assert.isTrue(yield* on(b)(hangs("kept")))
    }))
}

const lossTests = (options: Options): void => {
  const { on, test } = tests(options)

  test("nobody is removed who moved after all", (a, b) =>
    Effect.gen(function* () {
      const session = yield* on(a)(Sessions.make({ lease: "1 hour" }))
      assert.isTrue(yield* on(a)(operation((tx) => sessionOps.bump(tx, session.id, 1))))
      assert.isFalse(yield* on(b)(Sessions.remove(Store, session.id, 0)))
      assert.isTrue(yield* on(b)(isThere(session.id)))
      assert.isTrue(yield* on(b)(Sessions.remove(Store, session.id, 1)))
      assert.isFalse(yield* on(b)(Sessions.remove(Store, session.id, 1)))
    }))

  test("loss interrupts what runs under it, with the reason; what is under another one goes on", (a, b) =>
    Effect.gen(function* () {
      const [lost, kept] = yield* on(a)(Effect.all([Sessions.make({ lease }), Sessions.make({ lease })]))
      let interrupted = 0
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      const under = yield* Effect.forkChild(Effect.flip(lost.guard(work)))
      const beside = yield* Effect.forkChild(kept.guard(work))
      yield* until(on(b)(takeForDead(lost.id)))
      assert.strictEqual((yield* Fiber.join(under))._tag, "SessionLost")
      assert.strictEqual(interrupted, 1)
      assert.isTrue(lost.isLost())
      assert.isFalse(kept.isLost())
      assert.isUndefined(beside.pollUnsafe())
      // It is not raised from the dead by a late sign of life.
      assert.isFalse(yield* on(a)(operation((tx) => sessionOps.bump(tx, lost.id, 99))))
      assert.isFalse(yield* on(b)(isThere(lost.id)))
    }))

  test("a process opens another one when its own was lost", (a, b) =>
    Effect.gen(function* () {
      const first = yield* on(a)(Sessions.current(Store))
      yield* until(on(b)(takeForDead(first.id)))
      yield* on(a)(Sessions.renew(Store, first))
      const second = yield* on(a)(Sessions.current(Store))
      assert.notStrictEqual(second.id, first.id)
      assert.isTrue(yield* on(b)(isThere(second.id)))
    }))
}

const nameTests = (options: Options): void => {
  const { on, test } = tests(options)

  test("a process shares one by default, and has as many as it asks for", (a, b) =>
    Effect.gen(function* () {
      const asked = Array.from({ length: 20 }, () => Sessions.current(Store))
      const shared = yield* on(a)(Effect.all(asked, { concurrency: "unbounded" }))
      assert.strictEqual(new Set(shared.map(({ id }) => id)).size, 1)
      const theirs = yield* on(b)(Sessions.current(Store))
      const own = yield* on(a)(Effect.all([Sessions.make({ lease }), Sessions.make({ lease })]))
      assert.strictEqual(new Set([shared[0]!, theirs, ...own].map(({ id }) => id)).size, 4)
    }))

  test("whoever asks first and is interrupted, wherever its fiber gives way, holds up nobody", (a) =>
    Effect.gen(function* () {
      const strikes = yield* atEveryYield((victim) =>
        Effect.gen(function* () {
          const first = yield* victim(on(a)(Sessions.current(Store)))
          const other = yield* on(a)(Sessions.current(Store))
          yield* Fiber.await(first)
          assert.isFalse(other.isLost())
          yield* on(a)(Sessions.renew(Store, other))
        })
      )
      assert.isAbove(strikes, 2)
    }))

  it.live("no two have one name, though their processes have one seed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [a, b] = yield* Random.withSeed(options.processes, "one")
        const make = Random.withSeed(Sessions.make({ lease }), "one")
        const [first, second] = [yield* on(a)(make), yield* on(b)(make)]
        assert.notStrictEqual(first.id, second.id)
        assert.notStrictEqual(Context.get(a, Store).engine.session, Context.get(b, Store).engine.session)
      })
    )
  )
}
