/**
 * The calls of a collection at run time: the Schemas of what each is asked with and answers, and how the server does it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Description from "@weft/domain/Description"
import { changeOf, rangeOf, StampWire, timeToLive, wire } from "../Wire.ts"
import { call, Expected, limited, living, none, since, type Table, Version } from "./call.ts"
import { queue } from "./queueOperations.ts"

const map = (key: Schema.Constraint, value: Schema.Constraint): Table => {
  const [k, v] = [wire<any>(key), wire<any>(value)]
  const entry = Schema.Tuple([k, v])
  const range = { range: Schema.optionalKey(rangeOf<any>(key)) }
  const at = { key: k, value: v, ...timeToLive }
  return {
    get: call("read", { key: k }, Schema.Option(v), (h, p) => h.get(p.key)),
    has: call("read", { key: k }, Schema.Boolean, (h, p) => h.has(p.key)),
    getVersioned: call("read", { key: k }, Schema.Option(Schema.Struct({ value: v, version: Version })), (h, p) =>
      h.getVersioned(p.key)
    ),
    set: call("write", at, Schema.Option(v), (h, p) => h.set(p.key, p.value, living(p))),
    setMany: call("write", { entries: Schema.Array(entry), ...timeToLive }, Schema.Void, (h, p) =>
      h.setMany(p.entries, living(p))
    ),
    getOrSet: call("write", at, v, (h, p) => h.getOrSet(p.key, () => p.value, living(p))),
    compareAndSet: call("write", { ...at, expected: Expected }, Schema.Boolean, (h, p) =>
      h.compareAndSet(p.key, p.expected, p.value, living(p))
    ),
    replace: call(
      "write",
      { key: k, value: v, version: Version },
      Schema.Boolean,
      (h, p) => ifAt(h.getVersioned(p.key), p.version, () => h.modify(p.key, () => p.value)),
      true
    ),
    compareAndRemove: call(
      "write",
      { key: k, version: Version },
      Schema.Boolean,
      (h, p) => ifAt(h.getVersioned(p.key), p.version, () => h.remove(p.key)),
      true
    ),
    remove: call("write", { key: k }, Schema.Option(v), (h, p) => h.remove(p.key)),
    removeMany: call("write", { keys: Schema.Array(k) }, Schema.Int, (h, p) => h.removeMany(p.keys)),
    entries: call("read", range, Schema.Array(entry), (h, p) => h.entries(p.range)),
    first: call("read", range, Schema.Option(entry), (h, p) => h.first(p.range)),
    takeFirst: call("write", range, Schema.Option(entry), (h, p) => h.takeFirst(p.range)),
    keys: call("read", range, Schema.Array(k), (h, p) => h.keys(p.range)),
    size: call("read", none, Schema.Int, (h) => h.size),
    clear: call("write", none, Schema.Void, (h) => h.clear),
    evictExpired: call("write", limited, Schema.Int, (h, p) => h.evictExpired(p.limit)),
    changes: call("feed", since, changeOf(key, value), (h, p) => h.changes(p))
  }
}

/** Does it if what was read is still at `version`, and says whether. Inside one transaction. */
const ifAt = (
  read: Effect.Effect<any, any, any>,
  version: number,
  then: () => Effect.Effect<unknown, any, any>
): Effect.Effect<boolean, any, any> =>
  Effect.flatMap(read, (found) => {
    const seen = found._tag === "Some" ? found.value.version : found.version
    return seen === version ? Effect.as(then(), true) : Effect.succeed(false)
  })

const set = (element: Schema.Constraint): Table => {
  const value = wire<any>(element)
  const range = { range: Schema.optionalKey(rangeOf<any>(element)) }
  const many = { values: Schema.Array(value) }
  return {
    has: call("read", { value }, Schema.Boolean, (h, p) => h.has(p.value)),
    add: call("write", { value, ...timeToLive }, Schema.Boolean, (h, p) => h.add(p.value, living(p))),
    addMany: call("write", many, Schema.Int, (h, p) => h.addMany(p.values)),
    remove: call("write", { value }, Schema.Boolean, (h, p) => h.remove(p.value)),
    removeMany: call("write", many, Schema.Int, (h, p) => h.removeMany(p.values)),
    values: call("read", range, Schema.Array(value), (h, p) => h.values(p.range)),
    first: call("read", range, Schema.Option(value), (h, p) => h.first(p.range)),
    takeFirst: call("write", range, Schema.Option(value), (h, p) => h.takeFirst(p.range)),
    size: call("read", none, Schema.Int, (h) => h.size),
    clear: call("write", none, Schema.Void, (h) => h.clear),
    evictExpired: call("write", limited, Schema.Int, (h, p) => h.evictExpired(p.limit)),
    changes: call("feed", since, changeOf(element, Schema.Void), (h, p) => h.changes(p))
  }
}

const ref = (schema: Schema.Constraint): Table => {
  const value = wire<any>(schema)
  return {
    get: call("read", none, value, (h) => h.get),
    getVersioned: call("read", none, Schema.Struct({ value, version: Version }), (h) => h.getVersioned),
    set: call("write", { value }, Schema.Void, (h, p) => h.set(p.value)),
    getAndSet: call("write", { value }, value, (h, p) => h.getAndSet(p.value)),
    compareAndSet: call("write", { value, expected: Expected }, Schema.Boolean, (h, p) =>
      h.compareAndSet(p.expected, p.value)
    ),
    replace: call(
      "write",
      { value, version: Version },
      Schema.Boolean,
      (h, p) => ifAt(h.getVersioned, p.version, () => h.set(p.value)),
      true
    ),
    reset: call("write", none, Schema.Void, (h) => h.reset),
    changes: call("feed", since, changeOf(Schema.Void, value), (h, p) => h.changes(p))
  }
}

const counter: Table = {
  get: call("read", none, Schema.Number, (h) => h.get),
  add: call("write", { delta: Schema.Number }, Schema.Void, (h, p) => h.add(p.delta)),
  addAndGet: call("write", { delta: Schema.Number }, Schema.Number, (h, p) => h.addAndGet(p.delta)),
  set: call("write", { value: Schema.Number }, Schema.Void, (h, p) => h.set(p.value)),
  reset: call("write", none, Schema.Void, (h) => h.reset),
  changes: call("feed", since, changeOf(Schema.Void, Schema.Number), (h, p) => h.changes(p))
}

const struct = (given: Readonly<Record<string, Schema.Constraint>>): Table => {
  const fields = Object.fromEntries(Object.entries(given).map(([name, schema]) => [name, wire<any>(schema)]))
  const some = Schema.Struct(
    Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, Schema.optionalKey(schema)]))
  )
  const any = Schema.Union(Object.values(fields))
  const equal = Schema.toEquivalence(some)
  const part = (whole: any, of: object) => Object.fromEntries(Object.keys(of).map((name) => [name, whole[name]]))
  return {
    get: call("read", none, Schema.Struct(fields), (h) => h.get),
    patch: call("write", { fields: some }, Schema.Void, (h, p) => h.patch(p.fields)),
    patchIf: call(
      "write",
      { expected: some, fields: some },
      Schema.Boolean,
      (h, p) =>
        Effect.flatMap(h.get as Effect.Effect<object>, (whole) =>
          equal(part(whole, p.expected), p.expected) ? Effect.as(h.patch(p.fields), true) : Effect.succeed(false)
        ),
      true
    ),
    reset: call("write", none, Schema.Void, (h) => h.reset),
    changes: call("feed", since, changeOf(Schema.String, any), (h, p) => h.changes(p))
  }
}

/** The calls of a collection. */
export const tableOf = (description: Description.Description): Table => {
  // Each kind has the Schemas that its `make` asks for.
  const { fields, key, kind, value } = description
  switch (kind) {
    case "DMap":
      return map(key!, value!)
    case "DSet":
      return set(key!)
    case "DRef":
      return ref(value!)
    case "DCounter":
      return counter
    case "DStruct":
      return struct(fields!)
    case "DQueue":
      return queue(value!, StampWire)
  }
}
