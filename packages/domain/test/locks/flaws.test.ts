/**
 * Flaws of lock rules that model checking found, as far as they are no rule that the models (`LockModels.test.ts`) run
 * anyway: shapes of reads and waits, tokens, and what cannot be had at all. By number: docs/LOCKS.md.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe, it } from "vitest"
import { stampBytes } from "../../src/core/KeyCodec.ts"
import * as Cells from "../../src/core/LockCells.ts"
import { Observation } from "../../src/core/Observation.ts"
import * as Rules from "../../src/core/LockRules.ts"
import * as SessionCells from "../../src/core/SessionCells.ts"
import type { Key } from "../../src/core/Key.ts"
import { cycleThrough } from "../../src/internal/lockCycles.ts"
import * as lockOps from "../../src/internal/lockOps.ts"
import * as sessionOps from "../../src/internal/sessionOps.ts"
import type { TxView } from "../../src/internal/TxView.ts"
import * as Lock from "../../src/Lock.ts"
import { Store } from "../../src/Store.ts"
import { after, land, ModelStore, type Pending, run } from "../../testing/ModelStore.ts"

const tree = Cells.treePrefix("t")

/** A store with what clients do to it, one after the other. */
class Town {
  store = new ModelStore()
  private readonly watched: Array<Pending> = []
  /** Waits that a commit ended. */
  woken = 0

  commit<A>(operation: (tx: TxView) => A): { readonly value: A; readonly version: number } {
    const { request, value } = run(this.store, operation)
    const { changes, store, version } = land(this.store, { request, isStale: false })!
    this.store = store
    for (const [i, pending] of this.watched.entries()) {
      const seen = after(pending, changes)
      if (seen.isStale && !pending.isStale) this.woken++
      this.watched[i] = seen
    }
    return { value: value as A, version }
  }

  /** A request; its record's key. */
  ask(
    sid: string,
    claims: { readonly read?: ReadonlyArray<string>; readonly write?: ReadonlyArray<string> },
    more = {}
  ): Key {
    if (this.store.cell(SessionCells.existsKey(sid)) === undefined) this.commit((tx) => sessionOps.open(tx, sid))
    const nodes = Rules.expand((claims.read ?? []).map(Lock.chain), (claims.write ?? []).map(Lock.chain))
    const will = { kind: "unlock", tree, nodes, holding: [], owner: sid, nonce: "", ...more } as const
    const { value, version } = this.commit((tx) => lockOps.append(tx, { id: sid }, will))
    return Cells.recordPrefix(sid) + stampBytes(version, value!)
  }

  /** Whether a request is granted; one that is not waits from now on. */
  isGranted(recordKey: Key): boolean {
    const stands = run(this.store, (tx) => lockOps.look(tx, recordKey, tree, this.nodesOf(tx, recordKey))).value!
    if (typeof stands === "object") {
      const { request } = run(this.store, (tx) => lockOps.isBehind(tx, recordKey, stands.behind))
      this.watched.push({ request, isStale: false })
    }
    return stands === "granted"
  }

  release(recordKey: Key): void {
    this.commit((tx) => lockOps.release(tx, recordKey))
  }

  /** Requests of the cycle that a request is told of. */
  cycle(recordKey: Key): number | undefined {
    const sid = SessionCells.sidOf(recordKey, SessionCells.prefixes.will)
    return run(this.store, (tx) => cycleThrough(tx, recordKey, sid)).value?.length
  }

  private nodesOf(tx: TxView, recordKey: Key) {
    return (SessionCells.willOf(tx.get(recordKey)!) as SessionCells.Unlock).nodes
  }
}

describe("flaws of tree locks", () => {
  it("1: a sign of life is no conflict for the session's own requests; its end is one", () => {
    const town = new Town()
    town.commit((tx) => sessionOps.open(tx, "a"))
    const nodes = Rules.expand([], [Lock.chain("/x")])
    const will = { kind: "unlock", tree, nodes, holding: [], owner: "a", nonce: "" } as const
    const { request } = run(town.store, (tx) => lockOps.append(tx, { id: "a" }, will))
    const before = town.store.version
    const bumped = run(town.store, (tx) => sessionOps.bump(tx, "a", 1))
    const { changes } = land(town.store, { request: bumped.request, isStale: false })!
    assert.isFalse(after({ request, isStale: false }, changes).isStale)
    const ended = run(town.store, (tx) => sessionOps.remove(tx, "a", 0))
    const removal = land(town.store, { request: ended.request, isStale: false })!
    assert.isTrue(after({ request, isStale: false }, removal.changes).isStale)
    assert.strictEqual(town.store.version, before)
  })

  it("2: a token is above the release of everyone who had to be waited for, upgrades included", () =>
    Effect.gen(function* () {
      const tree = Lock.make("flaw 2")
      const waiting = (count: number) =>
        Effect.gen(function* () {
          const isWaiting = ({ path, state }: Lock.Standing) => path.length === 1 && state === "waits"
          while ((yield* tree.standings).filter(isWaiting).length < count) yield* Effect.sleep(1)
        })
      const gate = yield* Deferred.make<void>()
      const other = yield* Effect.forkChild(tree.read("/x").withLock(Deferred.await(gate)))
      const [ofA, b] = yield* Effect.scoped(
        Effect.gen(function* () {
          const a = yield* tree.read("/x").scoped
          const upgrading = yield* Effect.forkChild(a.upgrade({ write: ["/x"] }))
          yield* waiting(1)
          const next = yield* Effect.forkChild(Effect.scoped(Effect.map(tree.read("/x").scoped, ({ token }) => token)))
          // B has a stamp before the version at which A's upgrade takes effect.
          yield* waiting(2)
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(other)
          yield* Fiber.join(upgrading)
          return [a.token, next] as const
        })
      )
      assert.isAbove(yield* Fiber.join(b), ofA)
    }).pipe(Effect.provide(Store.layerMemory), Effect.runPromise))

  it("6, 7: of 64 writers in line, one that leaves wakes the next alone, and later arrivals wake nobody", () => {
    const town = new Town()
    const asked = Array.from({ length: 64 }, (_, i) => town.ask(`s${i}`, { write: ["/x"] }))
    assert.deepStrictEqual(asked.map((key) => town.isGranted(key)).indexOf(true), 0)
    town.ask("late", { write: ["/x"] })
    assert.strictEqual(town.woken, 0)
    // In an order that is not that of the line: who waits for the first blocker, or for all, would wake many times.
    for (let i = 0; i < 64; i++) {
      const before = town.woken
      const at = (i * 37) % 64
      town.release(asked[at]!)
      // The next, and the one that left, which watched its own record.
      assert.isAtMost(town.woken - before, 2)
      const next = asked.slice(at + 1).find((key) => town.store.cell(key) !== undefined)
      if (next !== undefined) town.isGranted(next)
    }
  })

  it("8: first come, first served is per request: one waits behind another that itself waits elsewhere", () => {
    const town = new Town()
    const first = town.ask("a", { write: ["/a/b"] })
    const second = town.ask("b", { write: ["/a/b"], read: ["/c"] })
    const third = town.ask("c", { write: ["/c"] })
    const fourth = town.ask("d", { read: ["/c/d"] })
    assert.deepStrictEqual(
      [first, second, third].map((key) => town.isGranted(key)),
      [true, false, false]
    )
    assert.isFalse(town.isGranted(fourth))
    town.release(first)
    assert.isTrue(town.isGranted(second))
    assert.isFalse(town.isGranted(third))
  })

  it("9: a cycle is told to its youngest request alone, also where a younger one stands in another cycle", () => {
    const town = new Town()
    const claims = { read: ["/a"] }
    const [a, b, c] = ["a", "b", "c"].map((sid) => town.ask(sid, claims)) as [Key, Key, Key]
    const upgrade = (sid: string, base: Key) => {
      const stamp = Cells.stampOf(base)
      return town.ask(sid, { write: ["/a"] }, { holding: [stamp], upgrades: stamp })
    }
    const [ofA, ofC, ofB] = [upgrade("a", a), upgrade("c", c), upgrade("b", b)]
    assert.deepStrictEqual([town.cycle(ofB) !== undefined, town.cycle(ofC) !== undefined], [true, true])
    assert.isUndefined(town.cycle(ofA))
  })

  it("11: all who are silent are found together, not one lease after the other", () => {
    const observation = new Observation(1000)
    const silent = ["a", "b", "c", "d"].map((sid) => [sid, 0] as const)
    const due = [0, 400, 800, 1200].map((at) => observation.read(at, 1, silent).length)
    assert.deepStrictEqual(due, [0, 0, 0, 4])
  })

  it("12: a wait begins at the version of the look: a release between the two ends it at once", () => {
    const town = new Town()
    const first = town.ask("a", { write: ["/x"] })
    const second = town.ask("b", { write: ["/x"] })
    const stands = run(town.store, (tx) => lockOps.look(tx, second, tree, Rules.expand([], [Lock.chain("/x")]))).value
    assert.isObject(stands)
    town.release(first)
    const behind = (stands as { readonly behind: Key }).behind
    assert.isFalse(run(town.store, (tx) => lockOps.isBehind(tx, second, behind)).value)
    assert.isTrue(town.isGranted(second))
  })

  it("13: two stores have no common order: two requests over both wait for ever, and neither store can know", () => {
    const [p, q] = [new Town(), new Town()]
    const a1 = p.ask("a", { write: ["/x"] })
    const b1 = q.ask("b", { write: ["/x"] })
    const b2 = p.ask("b", { write: ["/x"] })
    const a2 = q.ask("a", { write: ["/x"] })
    assert.deepStrictEqual(
      [p.isGranted(a1), q.isGranted(b1), p.isGranted(b2), q.isGranted(a2)],
      [true, true, false, false]
    )
    assert.deepStrictEqual([p.cycle(b2), q.cycle(a2)], [undefined, undefined])
    // So a request names paths of one tree, and a tree has one store: in one, one of the two waits and the other has both.
    const one = new Town()
    const both = [one.ask("a", { write: ["/p/x", "/q/x"] }), one.ask("b", { write: ["/q/x", "/p/x"] })]
    assert.deepStrictEqual(
      both.map((key) => one.isGranted(key)),
      [true, false]
    )
  })
})
