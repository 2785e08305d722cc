/**
 * The model of tree locks has the operations of the program and their order by hand (`testing/locks/client.ts`). Here one
 * client of the model and the program do the same, and their commits must be the same, one by one.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { assert, describe, it } from "vitest"
import type { Cell, CommitRecord } from "../../src/core/Commit.ts"
import type { Key } from "../../src/core/Key.ts"
import * as KeyDecode from "../../src/core/KeyDecode.ts"
import * as Cells from "../../src/core/LockCells.ts"
import * as SessionCells from "../../src/core/SessionCells.ts"
import * as Lock from "../../src/Lock.ts"
import { Store } from "../../src/Store.ts"
import { model } from "../../testing/locks/model.ts"
import { type Act, type State, tree } from "../../testing/locks/world.ts"

/** A change of one cell as both sides say it: no session's name, no stamp. */
const shape = (key: Key, before: Cell | undefined, after: Cell | undefined): string | undefined => {
  const sign = before === undefined ? "+" : after === undefined ? "-" : "~"
  if (key.startsWith(tree)) {
    const { mode, node } = Cells.ticketOf(key, tree)
    return `${sign} ticket /${KeyDecode.decode(node).join("/")} ${mode}`
  }
  if (!key.startsWith(SessionCells.prefixes.will)) return undefined
  const will = SessionCells.willOf((after ?? before)!.value) as SessionCells.Unlock
  const nodes = will.nodes.map(({ mode, node }) => `/${KeyDecode.decode(node).join("/")} ${mode}`).sort()
  return `${sign} record of ${nodes.join(", ")}, holding ${will.holding.length}${will.upgrades === undefined ? "" : ", upgrades"}`
}

const shapes = (changes: ReadonlyArray<string | undefined>): string =>
  changes
    .filter((change) => change !== undefined)
    .sort()
    .join("; ")

const ofModel = (script: ReadonlyArray<Act>): ReadonlyArray<string> => {
  const one = model({ name: "one", scripts: [script], faults: {} })
  const commits: Array<string> = []
  for (let state: State = one.initial; ;) {
    const [step] = one.steps(state)
    if (step === undefined) return commits.filter((commit) => commit !== "")
    const [before, after] = [state.store, step.to.store]
    const keys = new Set([...before.cells, ...after.cells].map(({ key }) => key))
    const changed = [...keys].filter((key) => before.cell(key)?.version !== after.cell(key)?.version)
    commits.push(shapes(changed.map((key) => shape(key, before.cell(key), after.cell(key)))))
    state = step.to
  }
}

const ofProgram = (script: ReadonlyArray<Act>): Promise<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const locks = Lock.make("t")
    const held: Array<{ readonly lock: Lock.Held<Lock.Path, Store>; readonly scope: Scope.Closeable }> = []
    const run = (acts: ReadonlyArray<Act>): Effect.Effect<void, Lock.LockError | StoreErrors, Store> =>
      Effect.gen(function* () {
        const [act, ...rest] = acts
        if (act === undefined) return
        const newest = held.at(-1)
        if (act.act === "take") {
          const scope = yield* Scope.make()
          const lock = yield* Scope.provide(locks.request(act.request).scoped, scope)
          held.push({ lock, scope })
          // What comes next is done by the flow that holds it.
          return yield* lock.guard(run(rest))
        }
        if (act.act === "upgrade") yield* newest!.lock.upgrade(act.request)
        if (act.act === "downgrade") yield* newest!.lock.downgrade(act.request)
        if (act.act === "give") yield* Scope.close(held.pop()!.scope, Exit.void)
        return yield* run(rest)
      })
    yield* run(script)
    const last = (yield* Store).engine.lastVersion
    const commits = yield* Store.changes({ from: 0 }).pipe(
      Stream.filter((change): change is CommitRecord => change._tag === "Commit"),
      Stream.takeUntil(({ version }) => version >= last),
      Stream.runCollect
    )
    return Array.from(commits, ({ changes }) =>
      shapes(changes.map(({ after, before, key }) => shape(key, before, after)))
    ).filter((commit) => commit !== "")
  }).pipe(Effect.provide(Store.layerMemory), Effect.runPromise)

type StoreErrors = Effect.Error<ReturnType<Lock.Held<Lock.Path, Store>["downgrade"]>>

const take = (request: Lock.Claims): Act => ({ act: "take", request: request as never })

describe("one client of the model commits what the program commits", () => {
  const scripts: Readonly<Record<string, ReadonlyArray<Act>>> = {
    "a writer": [take({ write: ["/a/b"] }), { act: "give" }],
    "both in one": [take({ read: ["/a"], write: ["/a/b", "/c"] }), { act: "give" }],
    "an upgrade": [take({ read: ["/a"] }), { act: "upgrade", request: { write: ["/a"] } }, { act: "give" }],
    "a downgrade": [take({ write: ["/a"] }), { act: "downgrade", request: { read: ["/a"] } }, { act: "give" }],
    nested: [take({ write: ["/a"] }), take({ write: ["/b"] }), { act: "give" }, { act: "give" }]
  }
  for (const [name, script] of Object.entries(scripts)) {
    it(name, async () => {
      const commits = await ofProgram(script)
      assert.isAtLeast(commits.length, 2)
      assert.deepStrictEqual(commits, ofModel(script))
    })
  }
})
