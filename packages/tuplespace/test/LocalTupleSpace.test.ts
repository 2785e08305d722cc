/** The local tuple space, by the suite. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import * as LocalTupleSpace from "../src/LocalTupleSpace.ts"
import { any } from "../src/TupleSpace.ts"
import * as TupleSpaceSuite from "../testing/TupleSpaceSuite.ts"

TupleSpaceSuite.suite("a tuple space of this process", {
  make: (definition) =>
    Effect.sync(() => ({
      space: LocalTupleSpace.make("jobs", definition),
      other: LocalTupleSpace.make("other", definition)
    }))
})

it.live("the 100,001st waiter is refused, and those before it are served", () =>
  Effect.gen(function* () {
    const space = LocalTupleSpace.make("jobs", { tuple: Schema.Tuple([Schema.Literal("job"), Schema.Int]) })
    const first = yield* Effect.forkChild(space.take(["job", any]))
    for (let i = 1; i < 100_000; i++) yield* Effect.forkChild(space.take(["job", i]))
    yield* Effect.yieldNow
    const refused = yield* Effect.flip(space.take(["job", any]))
    assert.deepStrictEqual(refused.reason._tag === "LimitExceeded" && [refused.reason.limit, refused.reason.max], [
      "waitersMax",
      100_000
    ])
    assert.isTrue(Option.isNone(yield* space.takeIfPresent(["job", any])))
    yield* space.out(["job", 7])
    assert.deepStrictEqual(yield* Fiber.join(first), ["job", 7])
  })
)
