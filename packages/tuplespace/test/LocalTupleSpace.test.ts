/** The local tuple space, by the suite. */
import { Effect } from "effect"
import * as LocalTupleSpace from "../src/LocalTupleSpace.ts"
import * as TupleSpaceSuite from "../testing/TupleSpaceSuite.ts"

TupleSpaceSuite.suite("a tuple space of this process", {
  make: (definition) =>
    Effect.sync(() => ({
      space: LocalTupleSpace.make("jobs", definition),
      other: LocalTupleSpace.make("other", definition)
    }))
})
