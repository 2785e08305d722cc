/**
 * Flaws of tuple spaces that model checking found, as far as they are no rule that the models (`TupleModels.test.ts`) run
 * anyway: what conflicts with what, what a look costs, whom a predicate harms. By number: docs/TUPLES.md.
 */
import type { Access } from "@weft/domain/Collection"
import { prefixEnd } from "@weft/domain/core/Key"
import * as Operation from "@weft/domain/internal/Operation"
import * as sessionOps from "@weft/domain/internal/sessionOps"
import * as Sessions from "@weft/domain/Sessions"
import { Store } from "@weft/domain/Store"
import { after, land, ModelStore, run } from "@weft/domain/testing/ModelStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe, it } from "vitest"
import { any, compile, is, type Predicates, where } from "../src/core/Template.ts"
import * as StoreTupleSpace from "../src/StoreTupleSpace.ts"
import type { Built } from "../src/internal/SpaceCells.ts"
import { Readied, recordOf } from "../src/internal/Tickets.ts"
import { access, cellsOf, type Tuple } from "../testing/model/world.ts"
import * as Schema from "effect/Schema"

const cells = cellsOf(3)

/** A space with what is done to it, one after the other. */
class Town {
  store = new ModelStore()
  readonly readied: Readied

  constructor(predicates: Predicates = {}) {
    this.readied = new Readied(predicates)
    this.commit(({ tx }) => sessionOps.open(tx, "p"))
  }

  look<A>(operation: (access: Access) => A): A {
    return run(this.store, (tx) => operation(access(tx))).value!
  }

  commit(operation: (access: Access) => unknown): void {
    const { request } = run(this.store, (tx) => operation(access(tx)))
    this.store = land(this.store, { request, isStale: false })!.store
  }

  out(...tuple: Tuple): void {
    this.commit((access) => cells.out(access, tuple, undefined))
  }

  wait(nonce: string, template: ReadonlyArray<unknown>, predicates: Predicates = {}): void {
    const compiled = compile(template, predicates)
    this.commit(({ tx }) => cells.wait(tx, { id: "p" }, compiled, recordOf("p", nonce, template)))
  }

  /** Who is first in line for a tuple. */
  first(tuple: Tuple): string | undefined {
    return this.look(({ tx }) => cells.firstWaiter(tx, tuple, this.readied, new Set())?.record.nonce)
  }
}

describe("flaws of tuple spaces", () => {
  it("2: to put out is no conflict for others who do, nor for who begins to wait", () => {
    const town = new Town()
    const { request } = run(town.store, (tx) => cells.out(access(tx), ["job", 1], undefined))
    const changes = [
      run(town.store, (tx) => cells.out(access(tx), ["job", 2], undefined)),
      run(town.store, (tx) => cells.wait(tx, { id: "p" }, compile([any, any], {}), recordOf("p", "a", [any, any])))
    ].map((other) => land(town.store, { request: other.request, isStale: false })!.changes)
    for (const each of changes) {
      assert.isAbove(each.length, 0)
      assert.isFalse(after({ request, isStale: false }, each).isStale)
    }
  })

  it("2: who waits hands over for the first in line too, who may be paused or dead", () =>
    Effect.gen(function* () {
      const space = StoreTupleSpace.make("s", { tuple: Schema.Tuple([Schema.String, Schema.Number]) })
      // The store has a first in line behind which there is no process.
      const willOfGhost = yield* Operation.make(Store, "ghost", (tx) => {
        sessionOps.open(tx, "ghost")
        const template = [any, any]
        const { index } = cells.wait(tx, { id: "ghost" }, compile(template, {}), recordOf("ghost", "g", template))!
        return index
      })
      assert.strictEqual(willOfGhost, 0)
      const taking = yield* Effect.forkChild(space.take([any, any]))
      while ((yield* space.interests).length < 2) yield* Effect.sleep(1)
      yield* space.out(["job", 1])
      const inFlight = Operation.make(Store, "flight", (tx) => {
        const start = cells.keys.inFlight
        return tx.range({ start, end: prefixEnd(start) }).length
      })
      while ((yield* inFlight) === 0) yield* Effect.sleep(1)
      yield* Sessions.remove(Store, "ghost", 0)
      assert.deepStrictEqual(yield* Fiber.join(taking), ["job", 1])
    }).pipe(Effect.provide(Store.layerMemory), Effect.runPromise))

  it("7: a predicate that throws fits nothing and harms nobody else in line; its owner is told", () => {
    const predicates = {
      boom: (): boolean => {
        throw new Error("boom")
      }
    }
    const town = new Town(predicates)
    town.wait("thrower", [any, where("boom")], predicates)
    town.wait("next", [any, any])
    town.readied.add("thrower", compile([any, where("boom")], predicates))
    assert.strictEqual(town.first(["job", 1]), "next")
    assert.deepStrictEqual(
      town.readied.takeFailures().map(([nonce]) => nonce),
      ["thrower"]
    )
  })

  it("7: a template that only its own process can decide is passed by the others", () => {
    const town = new Town()
    const own = [any, is(Schema.Number.check(Schema.isLessThan(10)))]
    town.wait("private", own)
    town.wait("next", [any, any])
    assert.strictEqual(town.first(["job", 1]), "next")
    town.readied.add("private", compile(own, {}))
    assert.strictEqual(town.first(["job", 1]), "private")
  })

  it("8: a look costs no more for tuples that differ in one of its literals", () => {
    const town = new Town()
    const template = compile(["job", 7], {})
    town.commit(({ tx }) => cells.register(tx, template))
    town.commit((access) => cells.build(access, template))
    for (let i = 100; i < 400; i++) {
      town.out("job", i)
      town.out(`other ${i}`, 7)
    }
    town.out("job", 7)
    const { request, value } = run(town.store, (tx) => {
      const found = cells.free(access(tx), template, town.readied, true)!
      return cells.take(tx, found).tuple
    })
    assert.deepStrictEqual(value, ["job", 7])
    const looked = request.reads.length + request.ranges.reduce((sum, { entries }) => sum + entries!.length, 0)
    assert.isAtMost(looked, 10)
  })

  it("8: a tuple that comes back while an index is built is in it, also below what was indexed already", () => {
    const town = new Town()
    town.out("job", 1)
    town.out("job", 2)
    const all = compile([any, any], {})
    const found = town.look((access) => cells.free(access, all, town.readied, false))!
    const taken = town.look(({ tx }) => cells.take(tx, found))
    town.commit(({ tx }) => cells.take(tx, found))
    const jobs = compile(["job", any], {})
    town.commit(({ tx }) => cells.register(tx, jobs))
    let built: Built | undefined
    const build = (): void => {
      const at = built
      built = town.look((access) => cells.build(access, jobs, at, 1))
      town.commit((access) => cells.build(access, jobs, at, 1))
    }
    build()
    town.commit(({ tx }) => cells.putBack(tx, taken))
    for (build(); built !== undefined;) build()
    assert.isTrue(town.look(({ tx }) => cells.isReady(tx, jobs)))
    const ids = town.look((access) => [...cells.fits(access, jobs, false)].map(({ tuple }) => tuple[1]))
    assert.deepStrictEqual(ids, [1, 2])
  })

  it("9: a tuple for which a taker waits is there to be read until it is handed over, and there for nobody else to take", () => {
    const town = new Town()
    town.wait("a", [any, any])
    town.out("job", 1)
    const template = compile([any, any], {})
    assert.strictEqual(
      town.look((access) => [...cells.fits(access, template, false)].length),
      1
    )
    assert.isUndefined(town.look((access) => cells.free(access, template, town.readied, false)))
    assert.deepStrictEqual(
      town.look((access) => cells.allFree(access, template, town.readied, false)),
      []
    )
  })
})
