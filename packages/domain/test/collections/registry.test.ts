/** Schemas of collections: numbered by the store, compared when a collection is opened, migrated or refused. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { Backend } from "../../src/Backend.ts"
import { encode } from "../../src/core/KeyCodec.ts"
import { prefixEnd } from "../../src/core/Key.ts"
import { schemaNumberOf } from "../../src/core/ValueCodec.ts"
import * as Version from "../../src/core/Version.ts"
import * as DCounter from "../../src/DCounter.ts"
import * as DMap from "../../src/DMap.ts"
import * as DQueue from "../../src/DQueue.ts"
import * as DRef from "../../src/DRef.ts"
import * as DStruct from "../../src/DStruct.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"
import { StoreError } from "../../src/StoreError.ts"
import * as Tx from "../../src/Tx.ts"
import { withoutSyncLane } from "../../testing/CollectionSuite.ts"

const V1 = Schema.Struct({ name: Schema.String })
const V2 = Schema.Struct({ name: Schema.String, nick: Schema.optionalKey(Schema.String) })
const V3 = Schema.Struct({ first: Schema.String, last: Schema.String })
const key = Schema.String

/** One store that several programs open one after the other, each with an engine of its own, as after a deployment. */
const world = (wrap: (layer: Layer.Layer<Backend>) => Layer.Layer<Backend> = (layer) => layer) => {
  const backend = MemoryBackend.make()
  const program = <A, E>(effect: Effect.Effect<A, E, Store>): Promise<A> =>
    Effect.runPromise(Effect.provide(effect, Store.layer(wrap(Layer.sync(Backend, () => Backend.of(backend))))))
  const cells = (prefix: string) => backend.sync!.range({ start: prefix, end: prefixEnd(prefix) })
  return { backend, program, cells, schemas: () => cells(encode([null, "schema"])).length }
}

const reasonOf = (effect: Effect.Effect<unknown, unknown, Store>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (error instanceof StoreError) return error.reason
    throw error
  })

describe("schemas of a collection", () => {
  it("are kept once, whoever opens how often; values name their number", async () => {
    const { cells, program, schemas } = world()
    for (let i = 0; i < 3; i++) await program(DMap.make("m", { key, value: V1 }).set(`k${i}`, { name: "x" }))
    expect(schemas()).toBe(1)
    await program(DMap.make("m", { key, value: V2 }).set("new", { name: "x", nick: "y" }))
    expect(schemas()).toBe(2)
    const numbers = cells(encode(["m", true])).map(({ cell }) => schemaNumberOf(cell.value.bytes))
    expect(numbers).toEqual([1, 1, 1, 2])
  })

  it("may change compatibly: old values read as the same values", async () => {
    const { program } = world()
    await program(DMap.make("m", { key, value: V1 }).set("k", { name: "x" }))
    const entries = await program(DMap.make("m", { key, value: V2 }).entries())
    expect(entries).toEqual([["k", { name: "x" }]])
  })

  for (const lane of ["with", "without"] as const) {
    it(`fail to open when they do not fit, before the first read or write (${lane} the synchronous lane)`, async () => {
      const { backend, program } = world(lane === "with" ? undefined : withoutSyncLane)
      await program(DMap.make("m", { key, value: V2 }).set("k", { name: "x" }))
      const before = backend.sync!.version()
      const bad = DMap.make("m", { key, value: V3 })
      for (const operation of [
        bad.get("k"),
        bad.set("k", { first: "a", last: "b" }),
        Tx.transact(Effect.andThen(Effect.ignore(DCounter.make("c").increment), bad.clear))
      ]) {
        const reason = await program(reasonOf(operation))
        expect(reason._tag).toBe("SchemaMismatch")
        expect(reason.message).toContain('collection "m" was stored under another schema (number 1)')
        expect(reason.message).toContain("value.name: the field is gone")
        expect(reason.message).toContain("value.first: a new field must be optional")
      }
      // The counter of the failed transaction may have been registered; nothing else was written.
      expect(backend.sync!.version() - before).toBeLessThanOrEqual(1)
      expect(backend.sync!.cell(encode(["c", true]))).toBeUndefined()
    })
  }

  it("are migrated: old values by their old Schema, new ones as they are, whatever is read first", async () => {
    const { program, schemas } = world()
    await program(DMap.make("m", { key, value: V1 }).set("a", { name: "Ada Lovelace" }))
    await program(DMap.make("m", { key, value: V2 }).set("b", { name: "Bob", nick: "B" }))
    const users = DMap.make("m", {
      key,
      value: V3,
      migrations: [
        DMap.migration(V2, ({ name, nick }) => ({ first: name.split(" ")[0]!, last: nick ?? name.split(" ")[1] ?? "" }))
      ]
    })
    const seen = await program(
      Effect.gen(function* () {
        yield* users.set("c", { first: "Cy", last: "D" })
        return [
          yield* users.entries(),
          yield* users.modify("a", (u) => ({ ...u, last: "King" })),
          yield* users.get("a")
        ]
      })
    )
    expect(seen).toEqual([
      [
        ["a", { first: "Ada", last: "Lovelace" }],
        ["b", { first: "Bob", last: "B" }],
        ["c", { first: "Cy", last: "D" }]
      ],
      Option.some({ first: "Ada", last: "Lovelace" }),
      Option.some({ first: "Ada", last: "King" })
    ])
    expect(schemas()).toBe(3)
  })

  it("refuse another kind of collection, another key, and a change of the kind of a queue", async () => {
    const { program } = world()
    await program(DMap.make("x", { key, value: V1 }).set("a", { name: "x" }))
    await program(DQueue.make("q", { value: Schema.Number }).offer(1))
    const wrong: ReadonlyArray<readonly [Effect.Effect<unknown, StoreError, Store>, string]> = [
      [DRef.make("x", { value: V1, initial: { name: "" } }).get, "it is a DMap (format 1), not a DRef"],
      [DCounter.make("x").get, "it is a DMap (format 1), not a DCounter"],
      [DMap.make("x", { key: Schema.Number, value: V1 }).get(1), "key: was String, is Number"],
      [DQueue.make("q", { value: Schema.Number, capacity: 3 }).poll, "it is a DQueue (format 1), not a DQueue bounded"]
    ]
    for (const [operation, why] of wrong) expect((await program(reasonOf(operation))).message).toContain(why)
  })

  it("of a record may gain fields, never lose one", async () => {
    const { program } = world()
    const one = DStruct.make("s", { fields: { a: Schema.Number }, initial: { a: 0 } })
    const two = DStruct.make("s", { fields: { a: Schema.Number, b: Schema.String }, initial: { a: 0, b: "-" } })
    await program(one.setField("a", 5))
    expect(await program(two.get)).toEqual({ a: 5, b: "-" })
    expect((await program(reasonOf(one.get))).message).toContain("value.b: the field is gone")
  })

  it("registered by a newer program while an older one runs: the older reads what fits and refuses what it would lose", async () => {
    const { program } = world()
    const older = DMap.make("m", { key, value: V2 })
    const seen = await program(
      Effect.gen(function* () {
        yield* older.set("k", { name: "x" })
        const V4 = Schema.Struct({ ...V2.fields, age: Schema.optionalKey(Schema.Int) })
        yield* Effect.promise(() => program(DMap.make("m", { key, value: V4 }).set("newer", { name: "y", age: 3 })))
        return [yield* older.get("k"), yield* reasonOf(older.get("newer")), yield* older.get("k")] as const
      })
    )
    expect(seen[0]).toEqual(Option.some({ name: "x" }))
    expect(seen[1]._tag).toBe("SchemaMismatch")
    expect(seen[1].message).toContain("value.age: the field is gone")
    expect(seen[2]).toEqual(seen[0])
  })

  it("are registered again in another life of the store that lost them, before the first value is written there", async () => {
    const map = DMap.make("m", { key, value: V1 })
    const ref = DRef.make("r", { value: Schema.Number, initial: 0 })
    const blindThenRead = Tx.transact(Effect.andThen(ref.set(1), map.get("k")))
    const writes: ReadonlyArray<readonly [string, Effect.Effect<unknown, StoreError, Store>]> = [
      ["m", map.set("k", { name: "x" })],
      ["r", ref.set(2)],
      ["r", blindThenRead]
    ]
    for (const [name, write] of writes) {
      const lives = [MemoryBackend.make(), MemoryBackend.make({ version: Version.make(1, 0) })]
      let life = lives[0]!
      const layer = Layer.sync(Backend, () =>
        Backend.of({
          capabilities: life.capabilities,
          read: (request) => life.read(request),
          commit: (requests) => life.commit(requests),
          changes: (request) => life.changes(request),
          outcome: (id) => life.outcome(id)
        })
      )
      await Effect.runPromise(
        Effect.gen(function* () {
          yield* map.set("k", { name: "old" })
          yield* ref.set(1)
          life = lives[1]!
          yield* write
        }).pipe(Effect.provide(Store.layer(layer)))
      )
      const schema = lives[1]!.sync!.cell(encode([null, "schema", name, 1]))
      expect(schema, name).toBeDefined()
      const [entry] = lives[1]!.sync!.range({ start: encode([name, true]), end: prefixEnd(encode([name, true])) })
      expect(schema!.version).toBeLessThan(entry!.cell.version)
    }
  })

  it("are opened by many programs at once without a loss", async () => {
    const { program, schemas } = world(withoutSyncLane)
    const programs = Array.from({ length: 8 }, (_, i) =>
      program(DMap.make("m", { key, value: i % 2 === 0 ? V1 : V2 }).set(`k${i}`, { name: "x" })).catch(
        (error: StoreError) => error
      )
    )
    const results = await Promise.all(programs)
    // Programs of the older Schema that come after one of the newer are refused; nobody's value is misread.
    for (const result of results) {
      if (result instanceof StoreError) expect(result.reason._tag).toBe("SchemaMismatch")
    }
    expect(schemas()).toBeLessThanOrEqual(2)
    const entries = await program(DMap.make("m", { key, value: V2 }).entries())
    expect(entries.length).toBe(results.filter((result) => !(result instanceof StoreError)).length)
  })
})
