/** Tree locks of one process: treelock's 18 tests and the mutex and read-write ones of fifolock by name, and what those lack. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema, SchemaGetter } from "effect"
import { TestClock } from "effect/testing"
import * as LocalLock from "../../src/LocalLock.ts"
import * as Lock from "../../src/Lock.ts"
import type { StoreError } from "../../src/StoreError.ts"

type Failure = Lock.LockError | StoreError

/** A request that runs until told to end, with what can be seen of it. */
interface Client {
  readonly fiber: Fiber.Fiber<void, Failure>
  readonly entered: () => boolean
  readonly end: Effect.Effect<void>
}

const settle = Effect.gen(function* () {
  for (let i = 0; i < 8; i++) yield* Effect.yieldNow
})

const enter = (lock: Lock.Lock) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    let inside = false
    const fiber = yield* Effect.forkChild(
      lock.withLock(
        Effect.suspend(() => {
          inside = true
          return Deferred.await(gate)
        })
      )
    )
    yield* settle
    const end = Effect.andThen(Deferred.succeed(gate, undefined), settle)
    return { fiber, entered: () => inside, end } satisfies Client
  })

const lineage = [
  ["the same node", "/a/b"],
  ["a descendant", "/a/b/c"],
  ["an ancestor", "/a"]
] as const

const test = (name: string, body: (tree: Lock.Tree) => Effect.Effect<void, unknown>) =>
  it.effect(name, () => body(LocalLock.make("test")))

const twice = (tree: Lock.Tree, first: Lock.Claims, second: Lock.Claims, blocked: boolean) =>
  Effect.gen(function* () {
    const a = yield* enter(tree.request(first))
    const b = yield* enter(tree.request(second))
    assert.isTrue(a.entered())
    assert.strictEqual(b.entered(), !blocked)
    yield* a.end
    assert.isTrue(b.entered())
    yield* b.end
  })

describe("treelock's tests", () => {
  for (const [name, path] of lineage) {
    test(`write blocks read: ${name}`, (tree) => twice(tree, { write: ["/a/b"] }, { read: [path] }, true))
    test(`write blocks write: ${name}`, (tree) => twice(tree, { write: ["/a/b"] }, { write: [path] }, true))
    test(`read allows read: ${name}`, (tree) => twice(tree, { read: ["/a/b"] }, { read: [path] }, false))
  }
  test("write allows unrelated write", (tree) => twice(tree, { write: ["/a/b"] }, { write: ["/a/c"] }, false))
  test("write allows unrelated read", (tree) => twice(tree, { write: ["/a/b"] }, { read: ["/a/c"] }, false))
  test("read allows unrelated read", (tree) => twice(tree, { read: ["/a/b"] }, { read: ["/a/c"] }, false))

  for (const kind of ["read", "write"] as const) {
    test(`a blocked ${kind} does not block an unrelated later ${kind}`, (tree) =>
      Effect.gen(function* () {
        const holder = yield* enter(tree.write("/a/b"))
        const blocked = yield* enter(tree.request({ [kind]: ["/a/b"] }))
        const later = yield* enter(tree.request({ [kind]: ["/a/c"] }))
        assert.deepStrictEqual([blocked.entered(), later.entered()], [false, true])
        for (const client of [holder, blocked, later]) yield* client.end
      }))
  }

  test("read of / with write of /a/b/c blocks write of /a/b/d", (tree) =>
    twice(tree, { read: ["/"], write: ["/a/b/c"] }, { write: ["/a/b/d"] }, true))

  for (const kind of ["read", "write"] as const) {
    test(`cancel after acquisition unblocks a ${kind}`, (tree) =>
      Effect.gen(function* () {
        const holder = yield* enter(tree.write("/a"))
        const blocked = yield* enter(tree.request({ [kind]: ["/a"] }))
        yield* Fiber.interrupt(holder.fiber)
        yield* settle
        assert.isTrue(blocked.entered())
        yield* blocked.end
      }))
    test(`cancel before acquisition unblocks a third ${kind} once the first ends`, (tree) =>
      Effect.gen(function* () {
        const holder = yield* enter(tree.write("/a"))
        const cancelled = yield* enter(tree.write("/a"))
        const third = yield* enter(tree.request({ [kind]: ["/a"] }))
        yield* Fiber.interrupt(cancelled.fiber)
        assert.isFalse(third.entered())
        yield* holder.end
        assert.isFalse(cancelled.entered())
        assert.isTrue(third.entered())
        yield* third.end
      }))
  }

  test("an exception in the body unblocks the next write and surfaces", (tree) =>
    Effect.gen(function* () {
      const failed = yield* Effect.exit(tree.write("/a").withLock(Effect.fail("boom")))
      assert.isTrue(Exit.isFailure(failed))
      assert.strictEqual(yield* tree.write("/a").withLock(Effect.succeed(1)), 1)
    }))

  test("a lock value is used twice", (tree) =>
    Effect.gen(function* () {
      const lock = tree.write("/a")
      assert.strictEqual(yield* lock.withLock(Effect.succeed(1)), 1)
      assert.strictEqual(yield* lock.withLock(Effect.succeed(2)), 2)
    }))

  const own: ReadonlyArray<readonly [string, Lock.Claims]> = [
    ["writes: same", { write: ["/a", "/a"] }],
    ["writes: descendant", { write: ["/a", "/a/b"] }],
    ["writes: unsorted, deepest first", { write: ["/a/b/c", "/a", "/a/b"] }],
    ["reads: same", { read: ["/a", "/a"] }],
    ["reads: ancestor", { read: ["/a/b", "/a"] }],
    ["read and write: same", { read: ["/a"], write: ["/a"] }],
    ["read and write: write below read", { read: ["/a"], write: ["/a/b"] }],
    ["read and write: write above read", { read: ["/a/b"], write: ["/a"] }]
  ]
  for (const [name, claims] of own) {
    test(`one request in one lineage does not block itself: ${name}`, (tree) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* tree.request(claims).withLock(Effect.succeed(1)), 1)
        assert.deepStrictEqual(yield* tree.standings, [])
      }))
  }
})

describe("fifolock's tests", () => {
  test("two locks are independent", () =>
    Effect.gen(function* () {
      const other = LocalLock.make("other")
      const a = yield* enter(LocalLock.make("one").write("/"))
      const b = yield* enter(other.write("/"))
      assert.isTrue(a.entered() && b.entered())
      yield* a.end
      yield* b.end
    }))

  test("cancelling the first which in turn cancels the second still lets the third in", (tree) =>
    Effect.gen(function* () {
      const holder = yield* enter(tree.write("/"))
      const second = yield* enter(tree.write("/"))
      const first = yield* Effect.forkChild(
        Effect.onInterrupt(tree.write("/").withLock(Effect.void), () => Fiber.interrupt(second.fiber))
      )
      yield* settle
      const third = yield* enter(tree.write("/"))
      yield* Fiber.interrupt(first)
      yield* holder.end
      assert.deepStrictEqual([second.entered(), third.entered()], [false, true])
      yield* third.end
    }))

  test("two reads that finish out of order hold a write until both end", (tree) =>
    Effect.gen(function* () {
      const one = yield* enter(tree.read("/"))
      const two = yield* enter(tree.read("/"))
      const write = yield* enter(tree.write("/"))
      yield* two.end
      assert.isFalse(write.entered())
      yield* one.end
      assert.isTrue(write.entered())
      yield* write.end
    }))

  test("a write is not preferred over an earlier read", (tree) =>
    Effect.gen(function* () {
      const first = yield* enter(tree.write("/"))
      const read = yield* enter(tree.read("/"))
      const second = yield* enter(tree.write("/"))
      yield* first.end
      assert.deepStrictEqual([read.entered(), second.entered()], [true, false])
      yield* read.end
      assert.isTrue(second.entered())
      yield* second.end
    }))
})

describe("LocalLock", () => {
  it.effect("gives up in time, names who held it up, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const tree = LocalLock.make("desk")
      const holder = yield* enter(tree.request({ write: ["/a"] }, { owner: "ada" }))
      const waiter = yield* Effect.forkChild(
        Effect.flip(tree.request({ write: ["/a/b"] }, { timeout: "1 second" }).withLock(Effect.void))
      )
      yield* settle
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(waiter)
      assert.strictEqual(error._tag, "LockError")
      assert.include(error.message, "held up by ada in X")
      assert.strictEqual((yield* tree.standings).length, 2)
      yield* holder.end
      assert.deepStrictEqual(yield* tree.standings, [])
    })
  )

  test("withLockIfFree answers None instead of waiting", (tree) =>
    Effect.gen(function* () {
      const holder = yield* enter(tree.write("/a"))
      assert.deepStrictEqual(yield* tree.read("/a/b").withLockIfFree(Effect.succeed(1)), Option.none())
      assert.deepStrictEqual(yield* tree.read("/b").withLockIfFree(Effect.succeed(1)), Option.some(1))
      yield* holder.end
    }))

  test("re-entry by the same flow is a Deadlock that names the cycle (bad case 15)", (tree) =>
    Effect.gen(function* () {
      const inner = tree.request({ write: ["/a"] }, { owner: "inner" })
      const error = yield* Effect.flip(
        tree.request({ write: ["/a"] }, { owner: "outer" }).withLock(inner.withLock(Effect.void))
      )
      assert.include(error.message, "inner waits for outer")
      assert.deepStrictEqual(yield* tree.standings, [])
    }))

  test("two flows that take two locks in opposite order: the younger request gives way", (tree) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const nest = (a: string, b: string) =>
        Effect.forkChild(
          Effect.exit(tree.write(a).withLock(Effect.andThen(Deferred.await(gate), tree.write(b).withLock(Effect.void))))
        )
      const one = yield* nest("/a", "/b")
      const two = yield* nest("/b", "/a")
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      const ends = [yield* Fiber.join(one), yield* Fiber.join(two)]
      assert.strictEqual(ends.filter(Exit.isSuccess).length, 1)
      assert.deepStrictEqual(yield* tree.standings, [])
    }))

  it.effect("upgrades, downgrades, and lists who stands where", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const tree = LocalLock.make("desk")
        const held = yield* tree.request({ read: ["/a"] }, { owner: "ada" }).scoped
        yield* held.upgrade({ write: ["/a"] })
        const reader = yield* enter(tree.request({ read: ["/a"] }, { owner: "bob" }))
        assert.isFalse(reader.entered())
        assert.strictEqual(
          Lock.render(yield* tree.standings),
          ["/", "  holds IX ada", "  waits IS bob", "  /a", "    holds X ada", "    waits S bob"].join("\n")
        )
        yield* held.downgrade({ read: ["/a"] })
        yield* settle
        assert.isTrue(reader.entered())
        const more = yield* Effect.flip(held.downgrade({ write: ["/b"] }))
        assert.strictEqual(more._tag, "StoreError")
        yield* reader.end
      })
    )
  )

  test("bad input: no path, a part that is no key", (tree) =>
    Effect.gen(function* () {
      for (const claims of [{}, { read: [[Number.NaN]] }]) {
        const error = yield* Effect.flip(tree.request(claims).withLock(Effect.void))
        assert.strictEqual(error._tag === "StoreError" && error.reason._tag, "InvalidInput")
      }
    }))

  it.effect("one waiter too many is refused, the others are unharmed", () =>
    Effect.gen(function* () {
      const tree = LocalLock.make("desk", { waitersMax: 2 })
      const clients: Array<Client> = []
      for (let i = 0; i < 3; i++) clients.push(yield* enter(tree.write("/a")))
      const error = yield* Effect.flip(tree.write("/a").withLock(Effect.void))
      assert.strictEqual(error._tag === "StoreError" && error.reason._tag, "LimitExceeded")
      for (const client of clients) yield* client.end
      for (const client of clients) assert.isTrue(client.entered())
    })
  )

  it.effect("10,000 waiters in line are handed over without nesting", () =>
    Effect.gen(function* () {
      const tree = LocalLock.make("desk")
      const holder = yield* enter(tree.write("/a"))
      let ran = 0
      const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), () =>
        Effect.forkChild(tree.write("/a").withLock(Effect.sync(() => void ran++)))
      )
      yield* settle
      yield* holder.end
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.strictEqual(ran, 10_000)
    })
  )

  it.effect("paths by Schema: strings and tuples are one tree, own node types encode to them", () =>
    Effect.gen(function* () {
      const Place = Schema.Struct({ room: Schema.String, shelf: Schema.Int })
      const path = Schema.Tuple([Schema.String, Schema.Int]).pipe(
        Schema.decodeTo(Place, {
          decode: SchemaGetter.transform(([room, shelf]: readonly [string, number]) => ({ room, shelf })),
          encode: SchemaGetter.transform(({ room, shelf }: typeof Place.Type) => [room, shelf] as const)
        })
      )
      const places = LocalLock.make("places", { path })
      yield* places.write({ room: "hall", shelf: 1 }).withLock(
        Effect.gen(function* () {
          const same = places.read({ room: "hall", shelf: 1 })
          assert.isTrue(Option.isNone(yield* same.withLockIfFree(Effect.void)))
          assert.isTrue(Option.isSome(yield* places.read({ room: "hall", shelf: 2 }).withLockIfFree(Effect.void)))
        })
      )
      const tree = LocalLock.make("desk")
      yield* twice(tree, { write: ["/a/b"] }, { read: [["a", "b"]] }, true)
    })
  )
})
