/**
 * The suite of tree locks: treelock's 18 tests and those of fifolock that concern a tree, by name, and what both lack. The
 * local form and the one in a store run the same; a third party's does too:
 *
 * ```ts
 * LockSuite.suite("mine", { tree: () => Effect.succeed(MyLocks.make("test")) })
 * ```
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import * as Lock from "../src/LockModel.ts"
import type { StoreError } from "../src/StoreError.ts"

export interface Options {
  /** A tree of its own at each call. */
  readonly tree: () => Effect.Effect<Lock.Tree, unknown, Scope.Scope>
  /** Real time after which who can enter has entered, where grants need a disk or a network, in milliseconds; 0 unless said. */
  readonly settleMillis?: number | undefined
}

type Failure = Lock.LockError | StoreError

/** A request that runs until told to end, with what can be seen of it. */
interface Client {
  readonly fiber: Fiber.Fiber<void, Failure>
  /** Whether it holds; waits for it as long as the suite's settling time. */
  readonly entered: () => boolean
  readonly end: Effect.Effect<void>
}

/** Longest wait for what must come, in milliseconds. */
const patienceMillis = 20_000

/** Registers the tests with vitest. */
export const suite = (name: string, options: Options): void => {
  const pause = (millis: number) => Effect.promise(() => new Promise<void>((go) => setTimeout(go, millis)))
  const settle = Effect.gen(function* () {
    for (let i = 0; i < 8; i++) yield* Effect.yieldNow
    if (options.settleMillis !== undefined) yield* pause(options.settleMillis)
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
      const end = Effect.andThen(
        Deferred.succeed(gate, undefined),
        Effect.andThen(Effect.ignore(Fiber.join(fiber)), settle)
      )
      return { fiber, entered: () => inside, end } satisfies Client
    })

  /** Waits for who must enter. */
  const awaitEntered = (client: Client) =>
    Effect.gen(function* () {
      for (let waited = 0; !client.entered() && waited < patienceMillis; waited += 5) yield* pause(5)
      assert.isTrue(client.entered(), "who is free to enter never did")
    })

  /** Standings once everyone is gone, or what is left after a long wait. */
  const drained = (tree: Lock.Tree) =>
    Effect.gen(function* () {
      for (let waited = 0; waited < patienceMillis && (yield* tree.standings).length > 0; waited += 5) yield* pause(5)
      return yield* tree.standings
    })

  const lineage = [
    ["the same node", "/a/b"],
    ["a descendant", "/a/b/c"],
    ["an ancestor", "/a"]
  ] as const

  const test = (title: string, body: (tree: Lock.Tree) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it(title, { timeout: 60_000 }, () => Effect.runPromise(Effect.scoped(Effect.flatMap(options.tree(), body))))

  const twice = (tree: Lock.Tree, first: Lock.Claims, second: Lock.Claims, blocked: boolean) =>
    Effect.gen(function* () {
      const a = yield* enter(tree.request(first))
      yield* awaitEntered(a)
      const b = yield* enter(tree.request(second))
      if (blocked) assert.isFalse(b.entered())
      else yield* awaitEntered(b)
      yield* a.end
      yield* awaitEntered(b)
      yield* b.end
    })

  describe(name, () => {
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
            yield* awaitEntered(later)
            assert.isFalse(blocked.entered())
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
            yield* awaitEntered(blocked)
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
            yield* awaitEntered(third)
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
      test("two trees are independent", (tree) =>
        Effect.gen(function* () {
          const other = yield* options.tree()
          const a = yield* enter(tree.write("/"))
          const b = yield* enter(other.write("/"))
          yield* awaitEntered(a)
          yield* awaitEntered(b)
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
          yield* awaitEntered(third)
          assert.isFalse(second.entered())
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
          yield* awaitEntered(write)
          yield* write.end
        }))

      test("a write is not preferred over an earlier read", (tree) =>
        Effect.gen(function* () {
          const first = yield* enter(tree.write("/"))
          const read = yield* enter(tree.read("/"))
          const second = yield* enter(tree.write("/"))
          yield* first.end
          yield* awaitEntered(read)
          assert.isFalse(second.entered())
          yield* read.end
          yield* awaitEntered(second)
          yield* second.end
        }))
    })

    describe("beyond both", () => {
      test("withLockIfFree answers None instead of waiting", (tree) =>
        Effect.gen(function* () {
          const holder = yield* enter(tree.write("/a"))
          yield* awaitEntered(holder)
          assert.deepStrictEqual(yield* tree.read("/a/b").withLockIfFree(Effect.succeed(1)), Option.none())
          assert.deepStrictEqual(yield* tree.read("/b").withLockIfFree(Effect.succeed(1)), Option.some(1))
          yield* holder.end
          assert.deepStrictEqual(yield* tree.read("/a/b").withLockIfFree(Effect.succeed(1)), Option.some(1))
        }))

      test("gives up in time and leaves nothing behind", (tree) =>
        Effect.gen(function* () {
          const holder = yield* enter(tree.write("/a"))
          yield* awaitEntered(holder)
          const error = yield* Effect.flip(
            tree.request({ write: ["/a/b"] }, { timeout: "30 millis" }).withLock(Effect.void)
          )
          assert.match(error.message, /LockTimeout.*within 30 ms/)
          assert.strictEqual((yield* tree.standings).length, 2)
          yield* holder.end
          assert.deepStrictEqual(yield* tree.standings, [])
        }))

      test("read of /a with write of /a/b keeps a reader of /a out (bad case 13)", (tree) =>
        twice(tree, { read: ["/a"], write: ["/a/b"] }, { read: ["/a"] }, true))
      test("read of /a with write of /a/b keeps another such request out (bad case 13)", (tree) =>
        twice(tree, { read: ["/a"], write: ["/a/b"] }, { read: ["/a"], write: ["/a/c"] }, true))

      test("a cancelled queued writer lets the readers behind it in at once (bad case 14)", (tree) =>
        Effect.gen(function* () {
          const holder = yield* enter(tree.read("/a"))
          const writer = yield* enter(tree.write("/a"))
          const reader = yield* enter(tree.read("/a"))
          assert.isFalse(reader.entered())
          yield* Fiber.interrupt(writer.fiber)
          yield* awaitEntered(reader)
          yield* reader.end
          yield* holder.end
        }))

      test("re-entry by the same flow is a Deadlock that names the cycle (bad case 15)", (tree) =>
        Effect.gen(function* () {
          const inner = tree.request({ write: ["/a"] }, { owner: "inner" })
          const outer = tree.request({ write: ["/a"] }, { owner: "outer" })
          const error = yield* Effect.flip(outer.withLock(inner.withLock(Effect.void)))
          assert.match(error.message, /Deadlock.*inner waits for outer/)
          assert.deepStrictEqual(yield* tree.standings, [])
        }))

      test("re-entry that is compatible but stands behind a writer is a Deadlock too", (tree) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const flow = yield* Effect.forkChild(
            Effect.exit(
              tree.read("/a").withLock(Effect.andThen(Deferred.await(gate), tree.read("/a").withLock(Effect.void)))
            )
          )
          yield* settle
          const writer = yield* enter(tree.write("/a"))
          assert.isFalse(writer.entered())
          yield* Deferred.succeed(gate, undefined)
          assert.isTrue(Exit.isFailure(yield* Fiber.join(flow)))
          yield* awaitEntered(writer)
          yield* writer.end
        }))

      test("two flows that take two locks in opposite order: one gives way, the other goes on", (tree) =>
        Effect.gen(function* () {
          const inside = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
          const nest = (a: string, b: string, mine: 0 | 1, theirs: 0 | 1) =>
            Effect.forkChild(
              Effect.exit(
                tree
                  .write(a)
                  .withLock(
                    Deferred.succeed(inside[mine], undefined).pipe(
                      Effect.andThen(Deferred.await(inside[theirs])),
                      Effect.andThen(tree.write(b).withLock(Effect.void))
                    )
                  )
              )
            )
          const flows = [yield* nest("/a", "/b", 0, 1), yield* nest("/b", "/a", 1, 0)]
          const ends = [yield* Fiber.join(flows[0]!), yield* Fiber.join(flows[1]!)]
          assert.strictEqual(ends.filter(Exit.isSuccess).length, 1)
          assert.deepStrictEqual(yield* tree.standings, [])
        }))

      test("upgrades and downgrades, and lists who stands where", (tree) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const held = yield* tree.request({ read: ["/a"] }, { owner: "ada" }).scoped
              const before = held.token
              yield* held.upgrade({ write: ["/a"] })
              assert.isAtLeast(held.token, before)
              const reader = yield* enter(tree.request({ read: ["/a"] }, { owner: "bob" }))
              assert.isFalse(reader.entered())
              assert.strictEqual(
                Lock.render(yield* tree.standings),
                ["/", "  holds IX ada", "  waits IS bob", "  /a", "    holds X ada", "    waits S bob"].join("\n")
              )
              yield* held.downgrade({ read: ["/a"] })
              yield* awaitEntered(reader)
              const more = yield* Effect.flip(held.downgrade({ write: ["/b"] }))
              assert.strictEqual(more._tag, "StoreError")
              yield* reader.end
            })
          )
          assert.deepStrictEqual(yield* tree.standings, [])
        }))

      test("an upgrade waits for the readers beside it, stops new ones, and passes writers that wait", (tree) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const held = yield* tree.read("/a").scoped
              const beside = yield* enter(tree.read("/a"))
              yield* awaitEntered(beside)
              const writer = yield* enter(tree.write("/a"))
              const up = yield* Effect.forkChild(held.upgrade({ write: ["/a"] }))
              yield* settle
              const late = yield* enter(tree.read("/a"))
              assert.isUndefined(up.pollUnsafe())
              assert.deepStrictEqual([writer.entered(), late.entered()], [false, false])
              yield* beside.end
              yield* Fiber.join(up)
              assert.deepStrictEqual([writer.entered(), late.entered()], [false, false])
              yield* Effect.forkChild(Effect.andThen(writer.end, late.end))
            })
          )
          assert.deepStrictEqual((yield* drained(tree)).length, 0)
        }))

      test("of two upgraders of one node the second is refused, the first goes on", (tree) =>
        Effect.scoped(
          Effect.gen(function* () {
            const a = yield* tree.read("/a").scoped
            const done = yield* Deferred.make<void>()
            const other = yield* Effect.forkChild(
              Effect.scoped(
                Effect.gen(function* () {
                  const b = yield* tree.read("/a").scoped
                  yield* Deferred.await(done)
                  const error = yield* Effect.flip(b.upgrade({ write: ["/a"] }))
                  assert.match(error.message, /Deadlock/)
                })
              )
            )
            yield* settle
            const up = yield* Effect.forkChild(a.upgrade({ write: ["/a"] }))
            yield* settle
            assert.isUndefined(up.pollUnsafe())
            yield* Deferred.succeed(done, undefined)
            yield* Fiber.join(other)
            yield* Fiber.join(up)
          })
        ))

      test("an upgrade does not overtake an earlier request that waits elsewhere", (tree) =>
        Effect.gen(function* () {
          const holder = yield* enter(tree.write("/b"))
          yield* awaitEntered(holder)
          const earlier = yield* enter(tree.read("/a", "/b"))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const held = yield* tree.read("/a").scoped
              const up = yield* Effect.forkChild(held.upgrade({ write: ["/a"] }))
              yield* settle
              yield* holder.end
              yield* awaitEntered(earlier)
              assert.isUndefined(up.pollUnsafe())
              yield* earlier.end
              yield* Fiber.join(up)
            })
          )
        }))

      test("bad input: no path, a part that is no key", (tree) =>
        Effect.gen(function* () {
          for (const claims of [{}, { read: [[Number.NaN]] }]) {
            const error = yield* Effect.flip(tree.request(claims).withLock(Effect.void))
            assert.strictEqual(error._tag === "StoreError" && error.reason._tag, "InvalidInput")
          }
        }))

      test("tokens rise with every grant that had to wait", (tree) =>
        Effect.gen(function* () {
          let last = -1
          for (let i = 0; i < 5; i++) {
            yield* Effect.scoped(
              Effect.map(tree.write("/a").scoped, ({ token }) => {
                assert.isAbove(token, last)
                last = token
              })
            )
          }
        }))
    })
  })
}
