/**
 * Operations: the effects that collections are made of. An operation is one synchronous function over a `TxView`; alone it
 * is its own transaction, inside one it joins. It is an object on Effect's own prototype rather than a generator: one
 * object and one step of the run loop (docs/ARCHITECTURE.md, "the way of one transaction").
 */
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type { Durability } from "../core/Commit.ts"
import type { StoreError } from "../StoreError.ts"
import type { Opening, OperationSpec } from "./OperationSpec.ts"
import { perform } from "./Run.ts"
import type { StoreKey } from "./StoreShape.ts"
import type { TxView } from "./TxView.ts"

interface OperationEffect<A> extends Effect.Effect<A, StoreError, unknown>, OperationSpec<A> {}

const proto = Effectable.Prototype<OperationEffect<unknown>>({
  label: "WeftOperation",
  evaluate(fiber) {
    return perform(this, fiber)
  }
})

function OperationImpl(
  this: { -readonly [K in keyof OperationSpec<unknown>]: OperationSpec<unknown>[K] },
  store: StoreKey<any>,
  label: string,
  run: (tx: TxView) => unknown,
  opening: Opening<any> | undefined,
  durability: Durability | undefined
): void {
  this.store = store
  this.label = label
  this.run = run
  this.opening = opening
  this.durability = durability
}
OperationImpl.prototype = proto

// A function with the prototype above is the class; TypeScript has no word for that.
const Impl = OperationImpl as unknown as new <A>(
  store: StoreKey<any>,
  label: string,
  run: (tx: TxView) => A,
  opening: Opening<any> | undefined,
  durability: Durability | undefined
) => OperationEffect<A>

/**
 * The effect that runs `run` over the transaction it stands in, or over one of its own. `run` may be called many times and
 * fails by throwing a `StoreError`, waits by throwing `TxView.retry` (see `TxView.ts`). `label` is for spans and messages,
 * with the opening's name before it. With `opening`, its `open` is run once per store first (while it fails, every
 * operation fails so).
 * Cost over the run itself on a store in memory: about 10 ns to make, 20 ns to join.
 */
export const make = <Id, A>(
  store: StoreKey<Id>,
  label: string,
  run: (tx: TxView) => A,
  opening?: Opening<Id>
): Effect.Effect<A, StoreError, Id> =>
  // The prototype's effect has R = unknown because one class serves all stores; the key given says which.
  new Impl(store, label, run, opening, undefined) as Effect.Effect<A, StoreError, any>

/**
 * As `make`, for what may be lost in a power cut together with the process that did it: its commit need not be on the disk
 * when it is answered, where the store has such commits.
 */
export const makeRelaxed = <Id, A>(
  store: StoreKey<Id>,
  label: string,
  run: (tx: TxView) => A
): Effect.Effect<A, StoreError, Id> =>
  new Impl(store, label, run, undefined, "relaxed") as Effect.Effect<A, StoreError, any>
