/**
 * The indexes that a process has asked for [2]: the first template with a mask registers it, and what is there is indexed.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { StoreShape } from "@weft/domain/internal/StoreShape"
import type { StoreError } from "@weft/domain/StoreError"
import { Transaction } from "@weft/domain/Transaction"
import type { Compiled } from "../core/Template.ts"
import type { Built, SpaceCells } from "./SpaceCells.ts"

export class Indexes<T extends ReadonlyArray<unknown>> {
  readonly #cells: SpaceCells<T>
  /** By engine. */
  readonly #known = new WeakMap<object, Set<number>>()

  constructor(cells: SpaceCells<T>) {
    this.#cells = cells
  }

  /** Whether this process has registered the template's mask before. */
  isKnown(compiled: Compiled, { engine }: StoreShape): boolean {
    return compiled.mask === 0 || this.#known.get(engine)?.has(nameOf(compiled)) === true
  }

  /** Registers a template's mask and indexes what is there, in steps; nothing inside of a transaction. */
  register(compiled: Compiled, { engine }: StoreShape): Effect.Effect<void, StoreError, any> {
    return Effect.flatMap(Effect.context<never>(), (context) => {
      if (Context.getOrUndefined(context, Transaction) !== undefined) return Effect.void
      return Effect.map(this.#indexed(compiled), () => {
        const known = this.#known.get(engine)
        if (known === undefined) this.#known.set(engine, new Set([nameOf(compiled)]))
        else known.add(nameOf(compiled))
      })
    })
  }

  #indexed(compiled: Compiled): Effect.Effect<void, StoreError, any> {
    const cells = this.#cells
    const build = (at?: Built): Effect.Effect<void, StoreError, any> =>
      Effect.flatMap(
        cells.base.operation("index", (access) => cells.build(access, compiled, at)),
        (next) => (next === undefined ? Effect.void : build(next))
      )
    return Effect.flatMap(
      cells.base.operation("register", ({ tx }) => cells.register(tx, compiled)),
      (isNew) => (isNew ? build() : Effect.void)
    )
  }
}

/** Tells masks of all arities apart. */
const nameOf = ({ arity, mask }: Compiled): number => arity * 2 ** 31 + mask
