/** One process's random histories. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Lock from "../../src/Lock.ts"
import * as Sessions from "../../src/Sessions.ts"
import { Store } from "../../src/Store.ts"
import type { StoreError } from "../../src/StoreError.ts"
import type { Prng } from "../Prng.ts"
import { touch } from "./log.ts"

/** The tree that all processes lock. */
export const tree = Lock.make("lock chaos")

/** Few paths, so that most requests meet others: a root, two sub-trees, leaves in both. */
const paths = ["/", "/a", "/a/b", "/a/c", "/a/b/x", "/d", "/d/e", "/d/f", "/g"] as const

/** What became of the histories of one process. */
export interface Tally {
  done: number
  /** Lost before it was granted, and while it held: someone took this process for dead. */
  lostWaiting: number
  lostHolding: number
  timeouts: number
  busy: number
  cancelled: number
  deadlocks: number
  upgrades: number
  longestWaitMillis: number
}

export const emptyTally = (): Tally => ({
  done: 0,
  lostWaiting: 0,
  lostHolding: 0,
  timeouts: 0,
  busy: 0,
  cancelled: 0,
  deadlocks: 0,
  upgrades: 0,
  longestWaitMillis: 0
})

export interface ClientOptions {
  /** Names the process; no other process has or had it. */
  readonly name: string
  readonly fibers: number
  readonly prng: Prng
  readonly leaseMillis: number
  readonly shouldStop: () => boolean
  /** A fiber begins a history: whatever it was at before is over. With what became of all so far. */
  readonly onBegin: (fiber: number, tally: Tally) => void
  /** Monotonic time in milliseconds, for the longest wait that is reported. */
  readonly nowMillis: () => number
  /** A session that this process has from now on. */
  readonly onSession: (sid: string) => void
}

type Failure = Lock.LockError | StoreError

/** Runs histories until told to stop. Fails with whatever is no ordinary end of one. */
export const client = (options: ClientOptions): Effect.Effect<Tally, Failure, Store> => {
  const tally = emptyTally()
  const sessions = new Set<string>()
  const fiber = (index: number, prng: Prng) =>
    Effect.gen(function* () {
      for (let n = 0; !options.shouldStop(); n++) {
        const session = yield* Sessions.current(Store)
        if (!sessions.has(session.id)) {
          sessions.add(session.id)
          options.onSession(session.id)
        }
        options.onBegin(index, tally)
        yield* history({ ...options, id: `${options.name}.${index}.${n}`, prng, tally })
        tally.done++
      }
    })
  return Effect.forEach(Array.from({ length: options.fibers }), (_, index) => fiber(index, options.prng.fork()), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.as(tally), Effect.provideService(Sessions.Lease, Duration.millis(options.leaseMillis)))
}

interface HistoryOptions extends ClientOptions {
  readonly id: string
  readonly tally: Tally
}

const drawClaims = (prng: Prng): Lock.Claims<string> => {
  const claims = { read: [] as Array<string>, write: [] as Array<string> }
  const count = prng.chance(0.25) ? 2 : 1
  for (let i = 0; i < count; i++) (prng.chance(0.45) ? claims.write : claims.read).push(prng.pick(paths))
  return claims
}

/** One request from its asking to its end. */
const history = (options: HistoryOptions): Effect.Effect<void, Failure, Store> => {
  const { id, prng, tally } = options
  const claims = drawClaims(prng)
  const kind = prng.below(10)
  const asked = options.nowMillis()
  let entered = false
  const noteEntry = Effect.sync(() => {
    entered = true
    tally.longestWaitMillis = Math.max(tally.longestWaitMillis, options.nowMillis() - asked)
  })
  const lock = tree.request(claims, { owner: id, timeout: kind === 0 ? Duration.millis(prng.below(20)) : undefined })
  const written = claims.write ?? []
  let run: Effect.Effect<unknown, Failure, Store>
  if (kind === 1) {
    run = Effect.map(lock.withLockIfFree(Effect.andThen(noteEntry, inside(options, written))), (got) => {
      if (got._tag === "None") tally.busy++
    })
  } else if (kind <= 3) run = Effect.scoped(changing(options, lock, noteEntry, claims))
  else run = lock.withLock(Effect.andThen(noteEntry, inside(options, written)))
  if (kind === 4) {
    // Cancelled at some moment, before the grant or after it.
    run = Effect.timeoutOrElse(run, {
      duration: Duration.millis(prng.below(30)),
      orElse: () => Effect.sync(() => tally.cancelled++)
    })
  }
  return Effect.flatMap(Effect.exit(run), (exit) => ended(exit, tally, () => entered))
}

/** Ordinary ends are counted, all others fail. */
const ended = (
  exit: Exit.Exit<unknown, Failure>,
  tally: Tally,
  entered: () => boolean
): Effect.Effect<void, Failure> => {
  if (Exit.isSuccess(exit)) return Effect.void
  const fail = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  if (fail?.error._tag !== "LockError") return Effect.failCause(exit.cause)
  const { reason } = fail.error
  if (reason._tag === "Deadlock") tally.deadlocks++
  else if (reason._tag === "LockTimeout") tally.timeouts++
  else if (entered()) tally.lostHolding++
  else tally.lostWaiting++
  return Effect.void
}

/** Some commits under the lock, some time between them; now and then a further lock within. */
const inside = (options: HistoryOptions, written: ReadonlyArray<string>): Effect.Effect<void, Failure, Store> =>
  Effect.gen(function* () {
    const { id, prng, tally } = options
    yield* touch(id, "granted", written)
    // Long enough that a pause of the process meets some of them.
    const rest = Effect.sleep(prng.chance(0.2) ? prng.below(40) : 0)
    if (prng.chance(0.1)) {
      const claims = drawClaims(prng)
      const nested = tree.request(claims, { owner: `${id}+` }).withLock(touch(`${id}+`, "granted", claims.write ?? []))
      yield* nested.pipe(
        Effect.asVoid,
        Effect.catchReason("LockError", "Deadlock", () => Effect.sync(() => void tally.deadlocks++))
      )
    }
    const last = Effect.andThen(rest, touch(id, "granted", written))
    // What cannot be interrupted is kept from stale writes by the fence alone.
    yield* prng.chance(0.4) ? Effect.uninterruptible(last) : last
  })

/** A lock that is held for more from some moment on, and for less from another. */
const changing = (
  { id, prng, tally }: HistoryOptions,
  lock: Lock.Lock<Lock.Path, Store>,
  noteEntry: Effect.Effect<void>,
  claims: Lock.Claims<string>
): Effect.Effect<void, Failure, Store | Scope.Scope> =>
  Effect.gen(function* () {
    const held = yield* lock.scoped
    yield* noteEntry
    yield* held.guard(touch(id, "granted", claims.write ?? []))
    const more = [...(claims.read ?? []), ...(claims.write ?? [])]
    const up: Effect.Effect<void, Failure, Store> = held.guard(
      Effect.andThen(held.upgrade({ write: more }), touch(id, "upgraded", more))
    )
    const isUp = yield* Effect.as(up, true).pipe(
      Effect.catchReason("LockError", "Deadlock", () => Effect.succeed(false))
    )
    if (!isUp) {
      tally.deadlocks++
      return
    }
    tally.upgrades++
    if (prng.chance(0.5)) {
      yield* held.guard(Effect.andThen(held.downgrade({ read: more }), touch(id, "downgraded", [])))
    }
  })
