/** What the suite's spaces hold, and where its workers find theirs. Without a test runner, since workers load it. */
import { Context, Schema } from "effect"
import type * as TupleSpace from "../../src/TupleSpace.ts"
import * as Worker from "../../src/Worker.ts"

const Job = Schema.Tuple([Schema.Literal("job"), Schema.Int, Schema.String])
const Done = Schema.Tuple([Schema.Literal("done"), Schema.Int])
const Lost = Schema.Tuple([Schema.Literal("lost"), Schema.Int, Schema.Struct({ reason: Schema.String })])
const Sum = Schema.Tuple([Schema.Literal("sum"), Schema.Int])
const Note = Schema.Tuple([Schema.Union([Schema.Int, Schema.String]), Schema.Union([Schema.Int, Schema.String])])
const Four = Schema.Tuple([Schema.Literal("four"), Schema.Int, Schema.Int, Schema.Int, Schema.Int])

export class ValueError extends Schema.TaggedError<ValueError>()("ValueError", { value: Schema.Int }) {}

export const predicates = {
  isEven: (n: number) => n % 2 === 0,
  throws: (_: number): boolean => {
    throw new Error("no idea")
  }
}

export const tuple = Schema.Union([Job, Done, Lost, Sum, Note, Four, Worker.failures([ValueError])])
export type SuiteSpace = TupleSpace.TupleSpace<(typeof tuple)["Type"], typeof predicates>

/** The space that the suite's workers work on. */
export class Board extends Context.Service<Board, SuiteSpace>()("@weft/tuplespace/testing/Board") {}
