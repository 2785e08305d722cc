/**
 * A program as a user of the published packages writes it: another package, `declaration: true`, types left to inference.
 * Every type that it exports must be nameable from what the packages export. Run, it checks itself.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Schedule from "effect/Schedule"
import { Store, Tx } from "@weft/domain"
import * as DCounter from "@weft/domain/DCounter"
import * as DMap from "@weft/domain/DMap"
import * as DQueue from "@weft/domain/DQueue"
import * as DRef from "@weft/domain/DRef"
import * as DSet from "@weft/domain/DSet"
import * as DStruct from "@weft/domain/DStruct"
import * as InprocBackend from "@weft/backends/InprocBackend"

export const UserId = Schema.String.pipe(Schema.brand("UserId"))
export class User extends Schema.Class<User>("User")({ id: UserId, name: Schema.String }) {}
// Exported, as every error of an exported transaction has to be: declarations of other files name it.
export class AlreadyThere extends Schema.TaggedError<AlreadyThere>()("AlreadyThere", { id: Schema.String }) {}

export const users = DMap.make("users", { key: UserId, value: User })
export const visits = DMap.make("visits", { key: Schema.Tuple([UserId, Schema.Int]), value: Schema.Date })
export const inbox = DQueue.make("inbox", { value: Schema.String })
export const motto = DRef.make("motto", { value: Schema.String, initial: "none" })
export const tags = DSet.make("tags", { value: Schema.String })
export const settings = DStruct.make("settings", { fields: { open: Schema.Boolean }, initial: { open: true } })
export const count = DCounter.make("count")

export const signUp = Tx.fn("signUp")(function* (user: User) {
  if (yield* users.has(user.id)) return yield* new AlreadyThere({ id: user.id })
  yield* users.set(user.id, user)
  yield* inbox.offer(`welcome ${user.name}`)
  return yield* count.addAndGet(1)
})
export const bounded = Tx.fn("bounded", { retry: Schedule.recurs(3), timeout: "1 second" })(function* (name: string) {
  yield* motto.set(name)
})
export const waitForMail = Tx.transact(
  Effect.filterOrElse(
    inbox.size,
    (size) => size > 0,
    () => Tx.retry
  )
)
export const userChanges = users.changes()
export const layer = Store.layer(InprocBackend.layer())

/** Runs it all once; dies when a result is wrong. */
export const program = Effect.gen(function* () {
  const ada = new User({ id: UserId.make("ada"), name: "Ada" })
  const first = yield* signUp(ada)
  const second = yield* Effect.flip(signUp(ada))
  yield* bounded("weave")
  const seen = [first, second._tag, yield* waitForMail, yield* inbox.take, yield* motto.get, yield* users.size]
  const expected = [1, "AlreadyThere", 1, "welcome Ada", "weave", 1]
  if (JSON.stringify(seen) !== JSON.stringify(expected)) return yield* Effect.die(new Error(JSON.stringify(seen)))
  return seen
})

if (import.meta.main) await Effect.runPromise(Effect.provide(program, layer))
