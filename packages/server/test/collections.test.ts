/** Collections over RPC and real sockets: against plain JavaScript, and through lost answers, each call once. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as RpcClient from "effect/rpc/RpcClient"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { DCounter, DMap, DQueue, DRef, DStruct, Store, type StoreError, Tx } from "@weft/domain"
import * as MemoryBackend from "@weft/domain/MemoryBackend"
import { CollectionSuite, Prng } from "@weft/domain/testing"
import * as Collections from "../src/Collections.ts"
import { answersOf } from "../src/internal/callMemory.ts"
import { type Format, protocol, proxy, serve } from "./connection.ts"

const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const full = process.env["WEFT_SCALE"] === "full"
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/server/test/collections.test.ts`

const User = Schema.Struct({ name: Schema.String, age: Schema.BigInt })
const collections = {
  users: DMap.make("users", { key: Schema.Tuple([Schema.String, Schema.BigInt]), value: User }),
  inbox: DQueue.make("inbox", { value: Schema.Number }),
  box: DQueue.make("box", { value: Schema.Number, capacity: 1 }),
  total: DCounter.make("total"),
  clock: DRef.make("clock", { value: Schema.Number, initial: 0 }),
  form: DStruct.make("form", { fields: { hits: Schema.Number, note: Schema.String }, initial: { hits: 0, note: "" } })
}
const group = Collections.rpcs(collections)
const client = Collections.remote(collections)
const handlers = Collections.layerHandlers(collections)
const quick = { retry: Schedule.spaced("5 millis") }

/** Runs a program of a client in the scope of a server and a store, through a proxy. */
const connected = <A, E>(
  run: (world: {
    readonly cut: () => number
    readonly swallowAnswers: () => void
    readonly port: number
  }) => Effect.Effect<A, E, Collections.Remote | Store>,
  options: { readonly format?: Format; readonly timeout?: number; readonly callsMax?: number } = {}
) =>
  Effect.gen(function* () {
    const port = yield* serve(group, handlers, options.format)
    const between = yield* proxy(() => port)
    const { callsMax, timeout = 60_000 } = options
    const remote = Collections.layerRemote(collections, { ...quick, timeout, callsMax }).pipe(
      Layer.provide(protocol(between.port, options.format))
    )
    return yield* Effect.provide(run({ ...between, port }), remote)
  }).pipe(
    Effect.provide(Store.layer(MemoryBackend.layer())),
    // Servers log each connection that was cut.
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.scoped,
    Effect.runPromise
  )

describe("remote handles do what local ones do", () => {
  for (const subject of CollectionSuite.subjects) {
    it(subject.name, { timeout: 120_000 }, () => {
      const steps = full ? 5_000 : 120
      return Effect.gen(function* () {
        const record = { it: subject.make() }
        const port = yield* serve(
          Collections.rpcs(record),
          Collections.layerHandlers(record) as Layer.Layer<any, never, Store>
        )
        const connection = Collections.layerRemote(record, quick).pipe(Layer.provide(protocol(port)))
        const remote = Layer.succeedContext(yield* TestClock.withLive(Layer.build(connection)))
        // Every member of `subjects` is made by this package's constructors.
        const handle = Collections.remote(record).it
        yield* Effect.gen(function* () {
          // Asked until the connection stands, by a clock that goes; the programs run on one that stands still.
          yield* TestClock.withLive(subject.dump(handle).effect)
          yield* CollectionSuite.check({ ...subject, make: () => record.it }, seed, steps, () => handle)
        }).pipe(Effect.provide(remote))
      }).pipe(
        Effect.provide(Layer.mergeAll(Store.layer(MemoryBackend.layer()), TestClock.layer())),
        Effect.scoped,
        Effect.runPromise
      )
    })
  }
})

describe("over every format", () => {
  for (const format of ["ndjson", "binary"] as const) {
    it(`${format}: keys, values, ranges, changes and errors`, () =>
      connected(
        () =>
          Effect.gen(function* () {
            const heard = yield* client.users.changes().pipe(Stream.take(2), Stream.runCollect, Effect.forkChild)
            // The stream begins at the version that the server finds; until it stands a change may come before it.
            const sets = Effect.repeat(client.users.set(["a", 7n], { name: "Ada", age: 36n }), { times: 200 })
            yield* Effect.raceFirst(Fiber.await(heard), Effect.andThen(sets, Effect.never))
            const changes = yield* Fiber.join(heard)
            expect(changes.map((change) => change._tag === "Updated" || change._tag === "Added")).toEqual([true, true])
            expect(changes.every((change) => change._tag !== "Gap" && change.key[1] === 7n)).toBe(true)
            yield* client.users.set(["b", -1n], { name: "Bob", age: 2n ** 70n })
            expect(yield* client.users.keys({ prefix: ["b"] })).toEqual([["b", -1n]])
            expect(yield* client.users.entries({ from: ["a", 8n], reverse: true })).toEqual([
              [["b", -1n], { name: "Bob", age: 2n ** 70n }]
            ])
            expect(yield* client.users.values()).toHaveLength(2)
            const error = yield* Effect.flip(client.total.add(0.5))
            expect([error._tag, error.reason._tag]).toEqual(["StoreError", "InvalidInput"])
          }),
        { format }
      ))
  }
})

describe("functions run at the client", () => {
  it("and no update is lost", () =>
    connected(() =>
      Effect.gen(function* () {
        const key = ["k", 1n] as const
        yield* client.users.set(key, { name: "", age: 0n })
        const older = (user: typeof User.Type) => ({ ...user, age: user.age + 1n })
        const eight = <A, E, R>(self: Effect.Effect<A, E, R>) =>
          Effect.all(
            Array.from({ length: 8 }, () => self),
            { concurrency: "unbounded" }
          )
        yield* eight(client.users.modify(key, older))
        yield* eight(client.users.modifyAt(key, Option.map(older)))
        yield* eight(client.clock.update((n) => n + 1))
        yield* eight(client.form.modifyField("hits", (n) => n + 1))
        expect(yield* client.users.get(key)).toEqual(Option.some({ name: "", age: 16n }))
        expect([yield* client.clock.get, yield* client.form.getField("hits")]).toEqual([8, 8])
        yield* client.users.modifyAt(key, () => Option.none())
        expect(yield* client.users.isEmpty).toBe(true)
      })
    ))
})

describe("once, whatever is lost", () => {
  it("counts, offers and takes through cut connections", { timeout: 120_000 }, () =>
    connected(({ cut, swallowAnswers }) =>
      Effect.gen(function* () {
        const random = Prng.make(seed)
        const calls = full ? 1_000 : 50
        const faultsMin = full ? 200 : 20
        let asked = 0
        let faults = 0
        const nemesis = Effect.gen(function* () {
          while (true) {
            yield* Effect.sleep(random.between(1, 15))
            if (random.chance(0.5)) swallowAnswers()
            yield* Effect.sleep(random.between(1, 10))
            faults += cut()
          }
        })
        const taken: Array<number> = []
        const round = Effect.suspend(() => {
          const values = Array.from({ length: calls }, (_, i) => asked + i)
          asked += calls
          return Effect.andThen(
            Effect.forEach(
              values,
              (i) => Effect.all([client.total.increment, client.inbox.offer(i)], { discard: true }),
              {
                concurrency: 8,
                discard: true
              }
            ),
            Effect.forEach(values, () => Effect.map(client.inbox.take, (value) => void taken.push(value)), {
              concurrency: 8,
              discard: true
            })
          )
        })
        // However fast the machine is: until enough connections were cut.
        const work = Effect.gen(function* () {
          while (faults < faultsMin) yield* round
        })
        yield* Effect.raceFirst(work, nemesis)
        expect(yield* client.total.get, replay).toBe(asked)
        expect(
          taken.toSorted((a, b) => a - b),
          replay
        ).toEqual(Array.from({ length: asked }, (_, i) => i))
        expect(faults, replay).toBeGreaterThanOrEqual(faultsMin)
        // What clients have answers for is forgotten.
        const kept = yield* answersOf(Store).size
        expect(kept, replay).toBeLessThan(400)
      })
    )
  )

  it("a take that is interrupted while it waits has taken nothing; one that is done is told", () =>
    connected(() =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkChild(client.inbox.take)
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(waiting)
        yield* client.inbox.offer(1)
        expect(yield* client.inbox.size).toBe(1)
        const next = yield* Effect.forkChild(client.inbox.takeN(2))
        yield* client.inbox.offer(2)
        expect(yield* Fiber.join(next)).toEqual([1, 2])
        // A full queue: the offer waits at the server's side of nothing, and goes on when there is room.
        yield* client.box.offer(1)
        const full = yield* Effect.forkChild(client.box.offer(2))
        expect(yield* client.box.take).toBe(1)
        expect(yield* Fiber.join(full)).toBe(true)
      })
    ))

  it("a copy that comes late does nothing, and a copy in time answers the same", () =>
    connected(({ port }) =>
      Effect.gen(function* () {
        const raw = yield* RpcClient.make(group)
        const as = (id: string) => ({ headers: { "weft-call": id } })
        const again = raw["total.addAndGet"]({ delta: 5 }, as("me:1:1"))
        expect([yield* again, yield* again]).toEqual([5, 5])
        // The 64th call tells that all below it have been answered.
        yield* raw["total.addAndGet"]({ delta: 1 }, as("me:64:64"))
        const late = yield* Effect.flip(again)
        expect(late._tag === "StoreError" && late.reason._tag).toBe("CommitUnknown")
        expect(yield* raw["total.get"]({})).toBe(6)
        const bad = yield* Effect.flip(raw["total.add"]({ delta: 5 }, as("no id")))
        expect(bad._tag === "StoreError" && bad.reason._tag).toBe("InvalidInput")
        // A client without ids is served too.
        yield* raw["total.add"]({ delta: 4 })
        expect(yield* raw["total.get"]({})).toBe(10)
      }).pipe(Effect.provide(protocol(port)), Effect.scoped)
    ))
})

describe("errors say what happened", () => {
  it("one call too many under way is refused and not sent; those under way go on, and make room", () =>
    connected(
      () =>
        Effect.gen(function* () {
          const limitOf = <A>(self: Effect.Effect<A, StoreError, Collections.Remote>) =>
            Effect.map(Effect.flip(self), ({ reason }) =>
              reason._tag === "LimitExceeded" ? reason.limit : reason._tag
            )
          const waits = [
            yield* Effect.forkChild(client.inbox.take, { startImmediately: true }),
            yield* Effect.forkChild(client.inbox.take, { startImmediately: true })
          ]
          expect(yield* limitOf(client.total.add(1))).toBe("callsMax")
          expect(yield* limitOf(Stream.runDrain(client.total.changes()))).toBe("callsMax")
          yield* Fiber.interrupt(waits.pop()!)
          yield* client.inbox.offer(7)
          expect(yield* Fiber.join(waits[0]!)).toBe(7)
          yield* Effect.all([client.total.increment, client.total.increment], { concurrency: 2 })
          expect(yield* client.total.get).toBe(2)
        }),
      { callsMax: 2 }
    ))

  it("a server that is gone: reads are unavailable, writes unknown", () =>
    Effect.gen(function* () {
      const between = yield* proxy(() => 1)
      const remote = Collections.layerRemote(collections, { ...quick, timeout: 100 }).pipe(
        Layer.provide(protocol(between.port))
      )
      yield* Effect.gen(function* () {
        const read = yield* Effect.flip(client.total.get)
        const write = yield* Effect.flip(client.total.increment)
        expect([read.reason._tag, read.isRetryable]).toEqual(["Unavailable", true])
        expect([write.reason._tag, write.isRetryable]).toEqual(["CommitUnknown", false])
      }).pipe(Effect.provide(remote))
    }).pipe(Effect.scoped, Effect.runPromise))

  it("a server that is stopped while it works on a call: another one of the store answers", () =>
    Effect.gen(function* () {
      let port = 0
      const between = yield* proxy(() => port)
      const remote = Collections.layerRemote(collections, quick).pipe(Layer.provide(protocol(between.port)))
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(
          Effect.scoped(
            Effect.flatMap(serve(group, handlers), (made) => {
              port = made
              return Effect.never
            })
          )
        )
        yield* client.total.increment
        const waiting = yield* Effect.forkChild(client.inbox.take)
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(first)
        port = yield* serve(group, handlers)
        yield* collections.inbox.offer(7)
        expect(yield* Fiber.join(waiting)).toBe(7)
        expect(yield* client.total.get).toBe(1)
      }).pipe(Effect.provide(remote))
    }).pipe(Effect.provide(Store.layer(MemoryBackend.layer())), Effect.scoped, Effect.runPromise))

  it("a remote handle inside of a transaction is a named defect", () =>
    connected(() =>
      Effect.gen(function* () {
        const inside = Tx.transact(
          Effect.andThen(collections.total.increment, client.total.get as Effect.Effect<number>)
        )
        const exit = yield* Effect.exit(inside)
        expect(String(exit)).toContain("belongs to another store")
        expect(yield* client.total.get).toBe(0)
      })
    ))

  it("a member that is no collection is refused", () => {
    expect(() => Collections.rpcs({ wrong: 5 as never })).toThrow("no collection")
  })
})
