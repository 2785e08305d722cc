/** What treelock and fifolock lack: upgrades, deadlocks named, bad cases 13 to 15, tokens, bad input. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { assert, describe } from "vitest"
import * as Lock from "../../src/LockModel.ts"
import type { Kit } from "./kit.ts"

export const beyondTests = ({ awaitEntered, drained, enter, settle, test, twice }: Kit<Lock.Tree>): void => {
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
}
