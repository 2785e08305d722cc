/**
 * Tree locks: shared and exclusive locks on whole sub-trees, many roots at once, first come, first served, free of
 * deadlock by construction. This module has the words that the local form (`LocalLock.ts`) and the one in a store share.
 *
 * Cost of a lock goes by the depth of its paths and their number, not by descendants or by other locks held.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Part } from "./core/Key.ts"
import * as KeyCodec from "./core/KeyCodec.ts"
import type { Chain } from "./core/LockRules.ts"
import type { StoreError } from "./StoreError.ts"

/** The lock is no longer held: its session ended, or it was given up. What ran under it is interrupted. */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", { message: Schema.String }) {}

/** Waiting would never have ended: `cycle` names who waits for whom. Nothing is held by this request. */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", {
  message: Schema.String,
  cycle: Schema.Array(Schema.String)
}) {}

/** The lock was not free in time. Nothing is held by this request. */
export class LockTimeout extends Schema.TaggedError<LockTimeout>()("LockTimeout", {
  message: Schema.String,
  timeoutMillis: Schema.Number
}) {}

/** Any failure of a lock, with its reason: `Effect.catchReason("LockError", "Deadlock", ...)`. */
export class LockError extends Schema.TaggedError<LockError>()("LockError", {
  reason: Schema.Union([LockLost, Deadlock, LockTimeout])
}) {
  override get message(): string {
    return `${this.reason._tag}: ${this.reason.message}`
  }
}

/** A path of the default tree: `"/a/b"` or the tuple `["a", "b"]`, which are the same; `"/"` and `[]` are the root. */
export type Path = string | ReadonlyArray<Part>

/** Any lock that is held, until its scope closes. */
export interface Hold<out R = never> {
  /**
   * Fencing token: greater than that of every lock that this one had to wait for. An outside resource checks it by a
   * `FenceVerifier`, so that a holder that was paused and taken for dead can do no harm there either.
   */
  readonly token: number
  /**
   * Runs under the lock: its transactions check that it is still held, what it takes meanwhile counts as nested, and its
   * loss interrupts it. Work of the scope that does not run in a guard is not checked. `LockLost` once it was given back.
   */
  readonly guard: <A, E, R2>(self: Effect.Effect<A, E, R2>) => Effect.Effect<A, E | LockError, R | R2>
}

/** A lock on sub-trees that is held, until its scope closes. */
export interface Held<in P = Path, out R = never> extends Hold<R> {
  /** Holds more from now on; waits for granted locks of others, passes those that wait. Two upgraders of one node: `Deadlock` for the second. */
  readonly upgrade: (claims: Claims<P>) => Effect.Effect<void, LockError | StoreError, R>
  /** Holds only this much from now on; what is asked must be covered by what is held. */
  readonly downgrade: (claims: Claims<P>) => Effect.Effect<void, LockError | StoreError, R>
}

/** Sub-trees to share and sub-trees to have alone, all taken at once. Any mix, duplicates and one lineage included. */
export interface Claims<out P = Path> {
  readonly read?: ReadonlyArray<P>
  readonly write?: ReadonlyArray<P>
}

export interface RequestOptions {
  /** Time to wait; without it for ever. */
  readonly timeout?: Duration.Input | undefined
  /** Shown to people who look for holders; the fiber's number when left out. */
  readonly owner?: string | undefined
}

/** A lock of any kind, to take as often as wanted. */
export interface AnyLock<out R = never> {
  /** Takes it, runs, gives back, whatever happens. What runs under it may take further locks; a cycle is a `Deadlock`. */
  readonly withLock: <A, E, R2>(self: Effect.Effect<A, E, R2>) => Effect.Effect<A, E | LockError | StoreError, R | R2>
  /** The same, but only if it is free at once; `None` otherwise. */
  readonly withLockIfFree: <A, E, R2>(
    self: Effect.Effect<A, E, R2>
  ) => Effect.Effect<Option.Option<A>, E | LockError | StoreError, R | R2>
  /** Held until the scope closes. */
  readonly scoped: Effect.Effect<Hold<R>, LockError | StoreError, R | Scope.Scope>
}

/** A lock on sub-trees. */
export interface Lock<in P = Path, out R = never> extends AnyLock<R> {
  /** Held until the scope closes. */
  readonly scoped: Effect.Effect<Held<P, R>, LockError | StoreError, R | Scope.Scope>
}

/** A holder or a waiter of one node. */
export interface Standing {
  readonly path: ReadonlyArray<Part>
  readonly mode: "IS" | "IX" | "S" | "SIX" | "X"
  readonly owner: string
  readonly state: "holds" | "waits"
  /** Place in line: smaller came first. */
  readonly stamp: number
}

/** A tree of locks. One tree lives in one namespace, or in one process. */
export interface Tree<in P = Path, out R = never> {
  readonly name: string
  readonly read: (...paths: readonly [P, ...Array<P>]) => Lock<P, R>
  readonly write: (...paths: readonly [P, ...Array<P>]) => Lock<P, R>
  readonly request: (claims: Claims<P>, options?: RequestOptions) => Lock<P, R>
  /** Everyone at every node, in path order, holders before waiters. */
  readonly standings: Effect.Effect<ReadonlyArray<Standing>, StoreError, R>
}

/** Requests that the running flow holds; inherited by forked fibers. Only such a flow can close a cycle of waits. */
export const Holding = Context.Reference<ReadonlyArray<object>>("@weft/domain/Lock/Holding", {
  defaultValue: () => []
})

/** A path Schema must encode to a string (split at `/`) or to a tuple of key parts. */
export type PathSchema<P> = Schema.Codec<P, string | ReadonlyArray<Part>>

/** Parts of a path: `"/a/b"`, `"a/b"` and `["a", "b"]` are one path; empty steps are left out. */
export const parts = (path: string | ReadonlyArray<Part>): ReadonlyArray<Part> =>
  typeof path === "string" ? path.split("/").filter((step) => step !== "") : path

/** Node keys from the root down to the path itself. Throws `KeyError` for parts that are no key. */
export const chain = (path: string | ReadonlyArray<Part>): Chain => {
  const steps = parts(path)
  const nodes = new Array<string>(steps.length + 1)
  let key = ""
  nodes[0] = key
  for (let i = 0; i < steps.length; i++) nodes[i + 1] = key += KeyCodec.encodePart(steps[i]!)
  return nodes
}

/** Standings as an indented tree, for people. */
export const render = (standings: ReadonlyArray<Standing>): string => {
  const lines: Array<string> = []
  let last: string | undefined
  for (const { mode, owner, path, state } of standings) {
    const printed = `/${path.map((part) => (typeof part === "string" ? part : String(part))).join("/")}`
    if (printed !== last) lines.push(`${"  ".repeat(path.length)}${printed}`)
    last = printed
    lines.push(`${"  ".repeat(path.length)}  ${state} ${mode} ${owner}`)
  }
  return lines.join("\n")
}
