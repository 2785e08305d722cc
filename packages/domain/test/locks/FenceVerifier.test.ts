/** Whom a verifier of fencing tokens lets pass, and that a lock's tokens are what it needs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FenceRules from "../../src/core/FenceRules.ts"
import * as FenceVerifier from "../../src/FenceVerifier.ts"
import * as Lock from "../../src/Lock.ts"
import * as LocalLock from "../../src/LocalLock.ts"
import * as MemoryBackend from "../../src/MemoryBackend.ts"
import { Store } from "../../src/Store.ts"

const table: ReadonlyArray<readonly [string, ReadonlyArray<readonly [FenceRules.Use, number, boolean]>]> = [
  [
    "a writer passes again and again",
    [
      ["write", 5, true],
      ["write", 5, true],
      ["write", 5, true]
    ]
  ],
  [
    "an overtaken writer is refused, the later one goes on",
    [
      ["write", 5, true],
      ["write", 7, true],
      ["write", 5, false],
      ["write", 7, true]
    ]
  ],
  [
    "two who share pass in any order",
    [
      ["read", 12, true],
      ["read", 10, true],
      ["read", 12, true]
    ]
  ],
  [
    "a reader that a writer has overtaken is refused",
    [
      ["read", 10, true],
      ["write", 12, true],
      ["read", 10, false],
      ["read", 13, true]
    ]
  ],
  [
    "a writer that a reader has overtaken is refused",
    [
      ["write", 5, true],
      ["read", 8, true],
      ["write", 5, false],
      ["write", 9, true]
    ]
  ],
  [
    "a writer that became a reader by a downgrade passes",
    [
      ["write", 5, true],
      ["read", 5, true],
      ["write", 5, true]
    ]
  ],
  [
    "an upgrade passes at its new token",
    [
      ["read", 5, true],
      ["read", 6, true],
      ["write", 9, true],
      ["read", 6, false]
    ]
  ]
]

describe("FenceRules", () => {
  for (const [name, steps] of table) {
    it(name, () => {
      let seen = FenceRules.none
      for (const [use, token, passes] of steps) {
        const next = FenceRules.admit(seen, use, token)
        assert.strictEqual(next !== undefined, passes, `${use} ${token}`)
        if (next !== undefined) seen = next
      }
    })
  }
})

describe("FenceVerifier", () => {
  it.effect("refuses the stale, goes on from what it has seen, resources apart", () =>
    Effect.gen(function* () {
      const verifier = FenceVerifier.make()
      yield* verifier.admit("disk", "write", 7)
      yield* verifier.admit("tape", "write", 3)
      const error = yield* Effect.flip(verifier.admit("disk", "write", 6))
      assert.match(error.message, /"disk" with token 6 came too late: a writer had 7/)
      const next = FenceVerifier.make({ seen: yield* verifier.seen })
      assert.strictEqual((yield* Effect.flip(next.admit("disk", "read", 6)))._tag, "StaleToken")
      yield* next.admit("disk", "read", 7)
    })
  )

  it.effect("bad input: a token that is none, one resource too many", () =>
    Effect.gen(function* () {
      const verifier = FenceVerifier.make({ resourcesMax: 1 })
      for (const token of [Number.NaN, -1, 1.5]) {
        assert.match((yield* Effect.flip(verifier.admit("a", "write", token))).message, /InvalidInput/)
      }
      yield* verifier.admit("a", "write", 1)
      assert.match((yield* Effect.flip(verifier.admit("b", "write", 1))).message, /LimitExceeded.*"b"/)
      yield* verifier.admit("a", "write", 2)
    })
  )

  for (const [name, run] of [
    [
      "of one process",
      <A, E>(use: (tree: Lock.Tree<Lock.Path, Store>) => Effect.Effect<A, E, Store>) => use(LocalLock.make("desk"))
    ],
    [
      "in a store",
      <A, E>(use: (tree: Lock.Tree<Lock.Path, Store>) => Effect.Effect<A, E, Store>) => use(Lock.make("desk"))
    ]
  ] as const) {
    it.live(`tokens of a tree ${name} pass while held: shared, upgraded, downgraded, and not afterwards`, () =>
      run((tree) =>
        Effect.gen(function* () {
          const verifier = FenceVerifier.make()
          const old = yield* Effect.scoped(
            Effect.gen(function* () {
              const one = yield* tree.read("/a").scoped
              const left = yield* Effect.scoped(
                Effect.gen(function* () {
                  const two = yield* tree.read("/a").scoped
                  yield* verifier.admit("a", "read", two.token)
                  yield* verifier.admit("a", "read", one.token)
                  return two.token
                })
              )
              yield* one.upgrade({ write: ["/a"] })
              yield* verifier.admit("a", "write", one.token)
              assert.strictEqual((yield* Effect.flip(verifier.admit("a", "read", left - 1)))._tag, "StaleToken")
              yield* one.downgrade({ read: ["/a"] })
              yield* verifier.admit("a", "read", one.token)
              return one.token
            })
          )
          yield* Effect.scoped(
            Effect.gen(function* () {
              const next = yield* tree.write("/a").scoped
              yield* verifier.admit("a", "write", next.token)
              assert.strictEqual((yield* Effect.flip(verifier.admit("a", "write", old)))._tag, "StaleToken")
            })
          )
        })
      ).pipe(Effect.provide(Store.layer(MemoryBackend.layer())))
    )
  }
})
