/**
 * The suite of the `Backend` contract: every law of docs/CONTRACT.md by its name, a fresh store for each, over the Effect
 * methods and, where the store has one, over the synchronous lane. A third party's store runs it in three lines:
 *
 * ```ts
 * import { BackendSuite } from "@weft/domain/testing"
 * import { layer } from "./MyBackend.ts"
 * BackendSuite.suite("mine", { layer: () => layer({}) })
 * ```
 *
 * A law that fails prints the command that replays it with its seed. `WEFT_SCALE=full` runs them longer.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { describe, it } from "vitest"
import { Backend } from "../src/Backend.ts"
import type { StoreError } from "../src/StoreError.ts"
import { cellLaws } from "./backend/cellLaws.ts"
import { chainLaws } from "./backend/chainLaws.ts"
import { changeLaws } from "./backend/changeLaws.ts"
import { durabilityLaws } from "./backend/durabilityLaws.ts"
import { historyLaws } from "./backend/historyLaws.ts"
import { epochLaws, idLaws } from "./backend/idLaws.ts"
import { laneLaws } from "./backend/laneLaws.ts"
import { mirrorLaws } from "./backend/mirrorLaws.ts"
import { rangeLaws } from "./backend/rangeLaws.ts"
import { readLaws } from "./backend/readLaws.ts"
import { overSync } from "./backend/SyncLane.ts"
import type { Law, Store, World } from "./backend/World.ts"
import { appendLaws, counterLaws, limitLaws } from "./backend/writeLaws.ts"

/** A place where a store lives: how it is opened first, and again. */
export interface Place<E = unknown> {
  readonly layer: Layer.Layer<Backend, E>
  /** Opens again what `layer` wrote; left out where nothing survives closing. */
  readonly reopen?: Layer.Layer<Backend, E> | undefined
  /** Opens what `layer` wrote as after a loss: under a higher epoch. */
  readonly newEpoch?: Layer.Layer<Backend, E> | undefined
}

export interface Options<E = unknown> {
  /** A new, empty store at each call: its Layer, or a `Place` when it can be opened again. */
  readonly layer: () => Layer.Layer<Backend, E> | Place<E>
  /** Which lanes are asked; both unless said. */
  readonly lanes?: ReadonlyArray<"effect" | "sync"> | undefined
  /** How much laws that draw or repeat do; 1 unless said, 20 with `WEFT_SCALE=full`. */
  readonly scale?: number | undefined
  /** Milliseconds that one law may take; 30,000 unless said. */
  readonly timeoutMillis?: number | undefined
}

/** The laws by theme, in the order of docs/CONTRACT.md. */
export const laws: Readonly<Record<string, ReadonlyArray<Law>>> = {
  cells: cellLaws,
  reads: readLaws,
  ranges: rangeLaws,
  chains: chainLaws,
  counters: counterLaws,
  appends: appendLaws,
  ids: idLaws,
  epochs: epochLaws,
  limits: limitLaws,
  changes: changeLaws,
  durability: durabilityLaws,
  mirror: mirrorLaws,
  histories: historyLaws
}

/** Registers the laws as tests of vitest: `<name> > <lane> > <theme> > <law>`. */
export const suite = <E>(name: string, options: Options<E>): void => {
  describe(name, () => {
    for (const lane of options.lanes ?? (["effect", "sync"] as const)) {
      describe(lane === "effect" ? "Effect methods" : "synchronous lane", () => {
        const themes = lane === "effect" ? laws : { ...laws, lane: laneLaws }
        for (const [theme, each] of Object.entries(themes)) describe(theme, () => register(each, lane, options))
      })
    }
  })
}

const register = <E>(each: ReadonlyArray<Law>, lane: "effect" | "sync", options: Options<E>): void => {
  for (const law of each) {
    it(law.name, { timeout: options.timeoutMillis ?? 30_000 }, async (context) => {
      const skipped = await Effect.runPromise(Effect.scoped(runLaw(law, lane, options, context.task.file.name)))
      if (skipped !== undefined) context.skip(skipped)
    })
  }
}

/** Runs one law on a fresh store; the reason when the store is not asked. A failure names the seed. */
const runLaw = <E>(
  law: Law,
  lane: "effect" | "sync",
  options: Options<E>,
  file: string
): Effect.Effect<string | undefined, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const place = placeOf(options.layer())
    const outer = yield* Effect.scope
    let scope = yield* Scope.fork(outer)
    const open = (layer: Layer.Layer<Backend, E>): Effect.Effect<Store, StoreError> =>
      Effect.gen(function* () {
        yield* Scope.close(scope, Exit.void)
        scope = yield* Scope.fork(outer)
        return yield* build(layer, scope)
      })
    const first = yield* build(place.layer, scope)
    if (lane === "sync" && first.sync === undefined) return "the store has no synchronous lane"
    const through = (store: Store): Store =>
      lane === "sync" && store.sync !== undefined ? overSync(store, store.sync) : store
    const seed = Number(process.env["WEFT_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
    const world: World = {
      store: through(first),
      reopen: place.reopen && Effect.map(open(place.reopen), through),
      newEpoch: place.newEpoch && Effect.map(open(place.newEpoch), through),
      seed,
      scale: options.scale ?? (process.env["WEFT_SCALE"] === "full" ? 20 : 1)
    }
    const skipped = law.skip?.(first.capabilities, world)
    if (skipped !== undefined) return skipped
    yield* Effect.tapCause(law.run(world), () =>
      Effect.sync(() => process.stderr.write(`replay: WEFT_SEED=${seed} npx vitest run ${file} -t "${law.name}"\n`))
    )
    return undefined
  })

const placeOf = <E>(given: Layer.Layer<Backend, E> | Place<E>): Place<E> =>
  Layer.isLayer(given) ? { layer: given as Layer.Layer<Backend, E> } : (given as Place<E>)

/** Opens a store in a scope. A store that cannot be opened ends the law. */
const build = <E>(layer: Layer.Layer<Backend, E>, scope: Scope.Scope): Effect.Effect<Store, StoreError> =>
  Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope).pipe(
    Effect.map((context) => Context.get(context, Backend)),
    Effect.orDie
  )
