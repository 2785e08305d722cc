/** What cannot be asked or done: typed errors, the others unharmed. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe } from "vitest"
import type * as Lock from "../../src/LockModel.ts"
import type { Options } from "../LockSuite.ts"
import type { Kit } from "./kit.ts"

const reasonOf = (error: { readonly _tag: string; readonly reason?: { readonly _tag: string } }): string | undefined =>
  error.reason?._tag

export const badInputTests = (
  { awaitEntered, drained, enter, settle, test }: Kit<Lock.Tree>,
  options: Options
): void => {
  describe("bad input", () => {
    test("no path, a path that is no key: InvalidInput, who holds is unharmed", (tree) =>
      Effect.gen(function* () {
        const holder = yield* enter(tree.write("/a"))
        yield* awaitEntered(holder)
        for (const claims of [
          {},
          { read: [[Number.NaN]] },
          { write: [["a", undefined as never]] },
          { read: [["a", {} as never]] }
        ]) {
          for (const use of [
            tree.request(claims).withLock(Effect.void),
            tree.request(claims).withLockIfFree(Effect.void),
            Effect.scoped(tree.request(claims).scoped)
          ]) {
            const error = yield* Effect.flip(use as Effect.Effect<void, Lock.LockError>)
            assert.strictEqual(reasonOf(error), "InvalidInput", JSON.stringify(claims))
          }
        }
        assert.strictEqual((yield* tree.standings).length, 2)
        yield* holder.end
      }))

    test("an upgrade, a downgrade and work by one who holds no longer: LockLost", (tree) =>
      Effect.gen(function* () {
        const left = yield* Effect.scoped(tree.read("/a").scoped)
        const holder = yield* enter(tree.write("/a"))
        yield* awaitEntered(holder)
        for (const use of [
          left.upgrade({ write: ["/a"] }),
          left.downgrade({ read: ["/a"] }),
          left.guard(Effect.void)
        ]) {
          assert.strictEqual(reasonOf(yield* Effect.flip(use as Effect.Effect<void, Lock.LockError>)), "LockLost")
        }
        // The holder still holds, and nothing of the stranger's is left in line.
        assert.strictEqual((yield* tree.standings).length, 2)
        assert.isFalse((yield* enter(tree.write("/a"))).entered())
        yield* holder.end
      }))

    test("nobody can give back what another holds: the end of one's own scope frees one's own alone", (tree) =>
      Effect.gen(function* () {
        const mine = yield* enter(tree.read("/a"))
        const theirs = yield* enter(tree.read("/a"))
        yield* awaitEntered(theirs)
        yield* mine.end
        const writer = yield* enter(tree.write("/a"))
        assert.isFalse(writer.entered())
        yield* theirs.end
        yield* awaitEntered(writer)
        yield* writer.end
        assert.deepStrictEqual(yield* drained(tree), [])
      }))

    test("one waiter too many: LimitExceeded, what is free is still given, those in line are unharmed", () =>
      Effect.gen(function* () {
        const tree = yield* options.tree({ waitersMax: 2 })
        const gate = yield* Deferred.make<void>()
        let ran = 0
        const work = Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => void ran++)
        )
        const fibers: Array<Fiber.Fiber<void, unknown>> = []
        for (let i = 0; i < 3; i++) {
          fibers.push(yield* Effect.forkChild(tree.write("/a").withLock(work)))
          yield* settle
        }
        const error = yield* Effect.flip(tree.write("/a").withLock(Effect.void))
        assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "waitersMax", max: 2 })
        assert.strictEqual(yield* tree.write("/b").withLock(Effect.succeed(7)), 7)
        yield* Fiber.interrupt(fibers.pop()!)
        const later = yield* Effect.forkChild(tree.write("/a").withLock(work))
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        for (const fiber of [...fibers, later]) yield* Fiber.join(fiber)
        assert.strictEqual(ran, 3)
        assert.deepStrictEqual(yield* drained(tree), [])
      }))
  })
}
