/** Our side of rows 7, 8 and 22: `DRef` on the store in memory, in transactions as users write them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Backend } from "@weft/domain/Backend"
import * as DMap from "@weft/domain/DMap"
import * as DRef from "@weft/domain/DRef"
import { Store } from "@weft/domain/Store"
import * as Tx from "@weft/domain/Tx"
import * as InprocBackend from "@weft/backends/InprocBackend"
import { contendedRate, effectRate, type Subject } from "../lib.ts"
import { rounds, type Seen } from "./noticePeers.ts"
import { FIBERS, five, must } from "./peers.ts"

const Five = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  tags: Schema.Array(Schema.String),
  active: Schema.Boolean,
  score: Schema.Finite
})

const FILLER_BYTES = 100

/** Runs a program on a store of its own. */
export const onMemory = <A, E>(
  program: Effect.Effect<A, E, Store>,
  backend: Layer.Layer<Backend> = InprocBackend.layer()
): Promise<A> => Effect.runPromise(Effect.provide(program, Store.layer(backend)))

const filler = DMap.make("filler", { key: Schema.Int, value: Schema.String })

/** Other cells beside those measured: `bytes` of values, 100 each. */
const fill = (bytes: number) =>
  Effect.gen(function* () {
    const text = "x".repeat(FILLER_BYTES)
    const count = Math.floor(bytes / FILLER_BYTES)
    for (let i = 0; i < count; i++) yield* filler.set(i, text)
  })

/** The store in memory as one that wants the bytes of every value: it would never make those of a number. */
const wantingBytes = Layer.sync(Backend, () => {
  const backend = InprocBackend.make()
  const sync = backend.sync!
  const commitOne: typeof sync.commitOne = (request) => {
    for (const write of request.writes)
      if (write._tag === "Set") must(write.value.bytes.length > 0, "a value has no bytes")
    return sync.commitOne(request)
  }
  return { ...backend, sync: { ...sync, commitOne } }
})

/** `Tx.transact` around one get and one set. */
export const getSet = (
  kind: "number" | "struct",
  stateBytes: number,
  bytes: "when asked" | "at set" = "when asked"
): Subject => ({
  name: `Tx.transact: DRef get + set, ${kind}`,
  run: (seconds) => {
    const number = DRef.make("number", { value: Schema.Int, initial: 0 })
    const struct = DRef.make("struct", { value: Five, initial: five })
    let runs = 0
    const ofNumber = Tx.transact(
      Effect.gen(function* () {
        runs += 1
        const value = yield* number.get
        yield* number.set(value + 1)
      })
    )
    const ofStruct = Tx.transact(
      Effect.gen(function* () {
        runs += 1
        const value = yield* struct.get
        yield* struct.set({ ...value, id: value.id + 1 })
      })
    )
    const program = Effect.gen(function* () {
      yield* fill(stateBytes)
      const value = yield* effectRate(kind === "number" ? ofNumber : ofStruct, seconds)
      const counted = kind === "number" ? yield* number.get : (yield* struct.get).id
      must(counted === runs, `counted ${counted} of ${runs}`)
      return { value, attempts: runs / counted }
    })
    return onMemory(program, bytes === "at set" ? wantingBytes : undefined)
  }
})

/** 64 fibers, a yield between get and set. */
export const contended = (refs: "one" | "own"): Subject => ({
  name: refs === "one" ? "Tx.transact: 64 fibers, one DRef" : "Tx.transact: 64 fibers, a DRef each",
  run: (seconds) => {
    const count = refs === "one" ? 1 : FIBERS
    const all = Array.from({ length: count }, (_, i) => DRef.make(`n${i}`, { value: Schema.Int, initial: 0 }))
    let attempts = 0
    let commits = 0
    const body = (fiber: number) => {
      const ref = all[fiber % all.length]!
      const transaction = Tx.transact(
        Effect.gen(function* () {
          attempts += 1
          const value = yield* ref.get
          yield* Effect.yieldNow
          yield* ref.set(value + 1)
        })
      )
      return Effect.tap(transaction, () => Effect.sync(() => (commits += 1)))
    }
    const program = Effect.gen(function* () {
      const { fairness, perSecond } = yield* contendedRate(body, { fibers: FIBERS, seconds })
      let total = 0
      for (const ref of all) total += yield* ref.get
      must(total === commits, `${commits} commits, ${total} counted`)
      return { value: perSecond, attempts: attempts / commits, details: { fairness } }
    })
    return onMemory(program)
  }
})

/** From `DRef.set` to a fiber that waits: on the stream of changes, or in `Tx.retry`. */
export const notice = (by: "changes" | "retry"): Subject => ({
  name: by === "changes" ? "DRef.set to a fiber on DRef.changes" : "DRef.set to a fiber in Tx.retry",
  run: (seconds) => {
    const ref = DRef.make("noticed", { value: Schema.Int, initial: 0 })
    const waitAbove = (last: number) =>
      Tx.transact(
        Effect.gen(function* () {
          const value = yield* ref.get
          return value > last ? value : yield* Tx.retry
        })
      )
    const byRetry = (seen: Seen) =>
      Effect.gen(function* () {
        let last = 0
        while (true) {
          last = yield* waitAbove(last)
          seen(last)
        }
      })
    const byChanges = (seen: Seen) =>
      Stream.runForEach(ref.changes(), (change) =>
        Effect.sync(() => seen(change._tag === "Added" || change._tag === "Updated" ? change.value : 0))
      )
    const watch = by === "changes" ? byChanges : byRetry
    return onMemory(rounds<unknown, Store>({ watch, write: (value) => ref.set(value) }, seconds))
  }
})
