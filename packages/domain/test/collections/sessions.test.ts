/**
 * Sessions (leases without clocks) and what hangs on them, in virtual time: several engines on one store stand for several
 * processes; "death" stops an engine's fibers without closing anything.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import { prefixEnd } from "../../src/core/Key.ts"
import { Observation } from "../../src/core/Observation.ts"
import * as Cells from "../../src/core/SessionCells.ts"
import * as Version from "../../src/core/Version.ts"
import * as DQueue from "../../src/DQueue.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import * as Sessions from "../../src/Sessions.ts"
import { Store } from "../../src/Store.ts"
import { make as storeError, Unavailable } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"

const queue = DQueue.make("jobs", { value: Schema.String, deliveriesMax: 3 })

/** Done at the end of each test, so that frozen processes can be closed. */
let thaw: Deferred.Deferred<void> = Deferred.makeUnsafe()

/** A store that can be cut off and frozen per process. */
const world = () => {
  const backend = MemoryBackend.make()
  const count = (prefix: string) => backend.sync!.range({ start: prefix, end: prefixEnd(prefix) }).length
  const process = () => {
    const state = { down: false, frozen: false }
    const guarded = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        if (state.frozen) return Effect.andThen(Deferred.await(thaw), effect)
        return state.down ? Effect.fail(storeError(new Unavailable({ message: "cut off" })) as E) : effect
      })
    const layer = Layer.sync(Backend, () =>
      Backend.of({
        ...backend,
        sync: undefined,
        read: (request) => guarded(backend.read(request)),
        commit: (requests) => guarded(backend.commit(requests))
      })
    )
    return { state, layer: Store.layer(layer) }
  }
  return {
    backend,
    process,
    sessions: () => count(Cells.prefixes.exists),
    wills: () => count(Cells.prefixes.will)
  }
}

const virtual = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.suspend(() => {
      thaw = Deferred.makeUnsafe()
      return effect
    }).pipe(
      Effect.ensuring(Effect.suspend(() => Deferred.succeed(thaw, undefined))),
      Effect.scoped,
      Effect.provide(TestClock.layer())
    )
  )

/** A process with its own engine; `run` runs effects in it, `stop` closes it in good order. */
const start = (layer: Layer.Layer<Store>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
    return {
      run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, context),
      stop: Scope.close(scope, Exit.void)
    }
  })

const settle = (times = 40) => Effect.repeat(Effect.yieldNow, { times })
const pass = (millis: number, step = 500) =>
  Effect.gen(function* () {
    for (let t = 0; t < millis; t += step) {
      yield* TestClock.adjust(step)
      yield* settle()
    }
  })

describe("observation", () => {
  const observe = () => {
    const observation = new Observation(1000)
    return (at: number, bumps: Record<string, number>, epoch = 0) =>
      observation.read(at, Version.make(epoch, 1), Object.entries(bumps)).map(([sid]) => sid)
  }

  it("finds a session that did not move for a lease, and only then", () => {
    const read = observe()
    expect(read(0, { a: 0, b: 0 })).toEqual([])
    expect(read(400, { a: 0, b: 1 })).toEqual([])
    expect(read(800, { a: 0, b: 1 })).toEqual([])
    expect(read(999, { a: 0, b: 1 })).toEqual([])
    expect(read(1000, { a: 0, b: 2 })).toEqual(["a"])
    expect(read(1400, { b: 2, a: 1 })).toEqual([])
  })

  it("does not count time while the store did not answer", () => {
    const observation = new Observation(1000)
    const read = (at: number) => observation.read(at, Version.make(0, 1), [["a", 0]]).length
    expect(read(0)).toBe(0)
    expect(read(400)).toBe(0)
    observation.failed()
    expect(read(60_000)).toBe(0)
    expect(read(60_300)).toBe(0)
    expect(read(60_600)).toBe(1)
  })

  it("begins anew in another life of the store, and does not take its own pause for silence", () => {
    const read = observe()
    expect(read(0, { a: 0 })).toEqual([])
    expect(read(500, { a: 0 })).toEqual([])
    expect(read(999, { a: 0 }, 1)).toEqual([])
    expect(read(1100, { a: 0 }, 1)).toEqual([])
    // A stretch of an hour counts for half a lease.
    expect(read(3_600_000, { a: 0 }, 1)).toEqual([])
    expect(read(3_600_400, { a: 0 }, 1)).toEqual(["a"])
  })
})

describe("sessions", () => {
  it("live as long as they are bumped, and leave nothing when closed", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const [a, b] = [yield* start(w.process().layer), yield* start(w.process().layer)]
        const session = yield* a.run(Sessions.current(Store))
        yield* b.run(Sessions.current(Store))
        expect(yield* a.run(Sessions.current(Store))).toBe(session)
        yield* pass(60_000)
        expect(session.isLost()).toBe(false)
        expect(w.sessions()).toBe(2)
        yield* a.stop
        expect(session.isLost()).toBe(true)
        expect(w.sessions()).toBe(1)
        yield* b.stop
        expect(w.sessions()).toBe(0)
      })
    ))

  it("of a silent process are removed by others, and it is told", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const silent = w.process()
        const [a, b] = [yield* start(silent.layer), yield* start(w.process().layer)]
        const session = yield* a.run(Sessions.current(Store))
        yield* b.run(Sessions.current(Store))
        const held = yield* Effect.forkChild(Effect.result(session.guard(Effect.never)))
        yield* pass(5_000)
        silent.state.frozen = true
        yield* pass(8_000)
        expect(w.sessions()).toBe(2)
        yield* pass(7_000)
        expect(w.sessions()).toBe(1)
        // The holder has stopped by its own clock too: what ran under the session is interrupted with the reason.
        expect(session.isLost()).toBe(true)
        const result = yield* Fiber.join(held)
        expect(result._tag === "Failure" && result.failure._tag).toBe("SessionLost")
        silent.state.frozen = false
        // Its next use opens another one.
        const again = yield* a.run(Sessions.current(Store))
        expect(again.id).not.toBe(session.id)
      })
    ))

  it("survive an outage longer than a lease: nobody is removed while nobody can move", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const processes = [w.process(), w.process()]
        const running = [yield* start(processes[0]!.layer), yield* start(processes[1]!.layer)]
        for (const each of running) yield* each.run(Sessions.make())
        yield* pass(5_000)
        for (const { state } of processes) state.down = true
        yield* pass(30_000)
        for (const { state } of processes) state.down = false
        yield* pass(4_000)
        // Their holders gave up by their own clocks, so they end; but not within a lease of the recovery.
        expect(w.sessions()).toBe(2)
      })
    ))

  it("can do nothing more once removed, however long they were paused", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const [a, b] = [yield* start(w.process().layer), yield* start(w.process().layer)]
        const session = yield* a.run(Sessions.current(Store))
        expect(yield* b.run(Sessions.remove(Store, session.id, 99))).toBe(false)
        expect(w.sessions()).toBe(1)
        expect(yield* b.run(Sessions.remove(Store, session.id, 0))).toBe(true)
        // It does not know yet, and takes all the same: the transaction sees that the session is gone and opens another.
        expect(session.isLost()).toBe(false)
        yield* b.run(queue.offer("x"))
        const delivery = yield* a.run(Effect.scoped(queue.takeAcknowledged))
        expect(delivery.value).toBe("x")
        expect(session.isLost()).toBe(true)
      })
    ))
})

describe("acknowledged takes", () => {
  it("acknowledge on success, give back on failure and on interruption, in the old place", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const p = yield* start(w.process().layer)
        yield* p.run(queue.offerAll(["a", "b", "c"]))
        expect(yield* p.run(queue.process((value) => Effect.succeed(`${value}!`)))).toBe("a!")
        const failed = yield* p.run(Effect.result(queue.process((value) => Effect.fail(value))))
        expect(failed._tag === "Failure" && failed.failure).toBe("b")
        expect(yield* p.run(queue.values())).toEqual(["b", "c"])
        const started = yield* Deferred.make<number>()
        const fiber = yield* Effect.forkChild(
          p.run(
            queue.process((_, { deliveries }) => Effect.andThen(Deferred.succeed(started, deliveries), Effect.never))
          )
        )
        expect(yield* Deferred.await(started)).toBe(2)
        expect(yield* p.run(queue.values())).toEqual(["c"])
        yield* Fiber.interrupt(fiber)
        expect(yield* p.run(queue.values())).toEqual(["b", "c"])
        expect(w.wills()).toBe(0)
      })
    ))

  it("come back when their process dies, and after deliveriesMax deliveries are dead letters", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const witness = yield* start(w.process().layer)
        yield* witness.run(Sessions.current(Store))
        yield* witness.run(queue.offerAll(["poison", "good"]))
        for (let i = 1; i <= 3; i++) {
          const dying = w.process()
          const p = yield* start(dying.layer)
          const seen = yield* Deferred.make<number>()
          yield* Effect.forkChild(
            p.run(
              queue.process((_, { deliveries }) => Effect.andThen(Deferred.succeed(seen, deliveries), Effect.never))
            )
          )
          expect(yield* Deferred.await(seen)).toBe(i)
          dying.state.frozen = true
          yield* pass(20_000)
          expect(yield* witness.run(queue.values())).toEqual(i < 3 ? ["poison", "good"] : ["good"])
        }
        expect(yield* witness.run(queue.deadLetters())).toEqual(["poison"])
        expect(yield* witness.run(queue.size)).toBe(1)
        expect(yield* witness.run(queue.reviveDeadLetters())).toBe(1)
        expect(yield* witness.run(queue.values())).toEqual(["poison", "good"])
        expect(yield* witness.run(queue.process((_, { deliveries }) => Effect.succeed(deliveries)))).toBe(1)
        expect(w.wills()).toBe(0)
      })
    ))

  it("wake a blocked taker when what was in flight comes back", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const dying = w.process()
        const [a, b] = [yield* start(dying.layer), yield* start(w.process().layer)]
        yield* b.run(queue.offer("x"))
        yield* Effect.forkChild(a.run(queue.process(() => Effect.never)))
        yield* settle()
        const taker = yield* Effect.forkChild(
          b.run(queue.process((value, { deliveries }) => Effect.succeed([value, deliveries])))
        )
        yield* pass(2_000)
        expect(taker.pollUnsafe()).toBeUndefined()
        dying.state.frozen = true
        yield* pass(20_000)
        expect(yield* Fiber.join(taker)).toEqual(["x", 2])
      })
    ))

  it("acknowledged late, after the session's end, count for nothing: another has the item", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const [a, b] = [yield* start(w.process().layer), yield* start(w.process().layer)]
        yield* b.run(queue.offerAll(["x", "y"]))
        const go = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          a.run(
            queue.process((value) => (value === "x" ? Effect.as(Deferred.await(go), value) : Effect.succeed(value)))
          )
        )
        yield* settle()
        const { id } = yield* a.run(Sessions.current(Store))
        expect(yield* b.run(Sessions.remove(Store, id, 0))).toBe(true)
        expect(yield* b.run(queue.take)).toBe("x")
        yield* Deferred.succeed(go, undefined)
        // The late acknowledgement is refused, and the worker takes the next one.
        expect(yield* Fiber.join(fiber)).toBe("y")
        expect(yield* b.run(queue.isEmpty)).toBe(true)
      })
    ))

  it("keep the room of a bounded queue until they are acknowledged", () =>
    virtual(
      Effect.gen(function* () {
        const w = world()
        const p = yield* start(w.process().layer)
        const bounded = DQueue.make("bounded", { value: Schema.Number, capacity: 2 })
        yield* p.run(bounded.offerAll([1, 2]))
        yield* p.run(
          bounded.process(() =>
            Effect.sync(() => undefined).pipe(
              Effect.andThen(p.run(bounded.offerIfRoom(3))),
              Effect.map((accepted) => expect(accepted).toBe(false))
            )
          )
        )
        expect(yield* p.run(bounded.offerIfRoom(3))).toBe(true)
        expect(yield* p.run(bounded.offerIfRoom(4))).toBe(false)
      })
    ))

  it("refuse to stand inside a transaction, by name", () =>
    virtual(
      Effect.gen(function* () {
        const p = yield* start(world().process().layer)
        const exit = yield* Effect.exit(p.run(Tx.transact(queue.process(() => Effect.void))))
        expect(String(exit)).toContain("An acknowledged take stands inside a transaction")
      })
    ))
})
