/** The workers of the suite: lindypy's, by what they do. Their space is `Board`'s, wherever they run. */
import { Effect, Schema } from "effect"
import { is } from "../../src/TupleSpace.ts"
import * as Worker from "../../src/Worker.ts"
import { Board, ValueError } from "./board.ts"

const onBoard = <A, E>(work: (space: Board["Service"]) => Effect.Effect<A, E>) =>
  Effect.orDie(Effect.flatMap(Board, work))

/** Puts one tuple out. */
export const outs = Worker.make("outs", {
  input: Schema.Tuple([Schema.Literal("four"), Schema.Int, Schema.Int, Schema.Int, Schema.Int]),
  run: (four) => onBoard((space) => space.out(four))
})

/** Waits to see a tuple and answers with another one. */
export const reads = Worker.make("reads", {
  input: Schema.Void,
  run: () => onBoard((space) => Effect.andThen(space.read(["four", 1, 2, 3, 4]), space.out(["four", 5, 6, 7, 8])))
})

/** Waits to take a tuple and answers with another one. */
export const takes = Worker.make("takes", {
  input: Schema.Void,
  run: () => onBoard((space) => Effect.andThen(space.take(["four", 1, 2, 3, 4]), space.out(["four", 7, 8, 9, 10])))
})

/** Waits for a tuple for a short while, gives up, says so, and goes on with something else for ever. */
export const givesUp = Worker.make("givesUp", {
  input: Schema.Void,
  run: () =>
    onBoard((space) =>
      Effect.timeoutOption(space.take(["four", 1, 2, 3, 4]), "30 millis").pipe(
        Effect.andThen(space.out(["done", 0])),
        Effect.andThen(Effect.never)
      )
    )
})

/** Fails with an error that it declares. */
export const fails = Worker.make("fails", {
  input: Schema.Int,
  errors: [ValueError],
  run: (value) => Effect.fail(new ValueError({ value }))
})

/** Folds one number into the sum, then starts the next one, down to nothing. */
export const folds: Worker.Worker<"folds", number, never, Board | Worker.Evaluator> = Worker.make("folds", {
  input: Schema.Int,
  run: (n) =>
    Effect.gen(function* () {
      yield* onBoard((space) =>
        Effect.flatMap(space.take(["sum", is(Schema.Int)]), ([, sum]) => space.out(["sum", sum + n]))
      )
      if (n > 1) yield* Effect.orDie(Worker.start(folds, n - 1))
      else yield* onBoard((space) => space.out(["done", 0]))
    })
})

export const suiteWorkers = [outs, reads, takes, givesUp, fails, folds]
