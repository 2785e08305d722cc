/** treelock's tests and those of fifolock that concern a tree, by name. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { assert, describe } from "vitest"
import type * as Lock from "../../src/LockModel.ts"
import type { Options } from "../LockSuite.ts"
import type { Kit } from "./kit.ts"

const lineage = [
  ["the same node", "/a/b"],
  ["a descendant", "/a/b/c"],
  ["an ancestor", "/a"]
] as const

export const knownTests = ({ awaitEntered, enter, settle, test, twice }: Kit<Lock.Tree>, options: Options): void => {
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
}
