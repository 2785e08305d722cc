/** The failures of locks of both forms, with what to do about them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Lock from "../LockModel.ts"
import * as StoreError from "../StoreError.ts"

/** `what` names the lock: `lock tree "desk"`. */
export const lost = (what: string): Lock.LockError =>
  new Lock.LockError({
    reason: new Lock.LockLost({
      message: `the ${what} was lost: its session ended. Nothing that ran under it after that was committed; take it again`
    })
  })

export const notHeld = (what: string): Lock.LockError =>
  new Lock.LockError({
    reason: new Lock.LockLost({ message: `the ${what} was given back already: take it again` })
  })

export const deadlock = (what: string, owners: ReadonlyArray<string>): Lock.LockError => {
  const told = [...owners, owners[0]].join(" waits for ")
  const message = `in the ${what} waiting would never end: ${told}; nothing was taken, what the flow held it still holds`
  return new Lock.LockError({ reason: new Lock.Deadlock({ message, cycle: owners }) })
}

/** Gives up after `after`; `heldUpBy` is asked then. Without a time it waits for ever. */
export const inTime = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  what: string,
  after: Duration.Input | undefined,
  heldUpBy?: () => string
): Effect.Effect<A, E | Lock.LockError, R> => {
  if (after === undefined) return self
  const timeoutMillis = Duration.toMillis(Duration.fromInputUnsafe(after))
  return Effect.timeoutOrElse(self, {
    duration: after,
    orElse: () => {
      const who = heldUpBy === undefined ? "" : `: held up by ${heldUpBy()}`
      const message = `the ${what} was not free within ${timeoutMillis} ms${who}; nothing was taken`
      return Effect.fail(new Lock.LockError({ reason: new Lock.LockTimeout({ message, timeoutMillis }) }))
    }
  })
}

/** Requests that may wait at once for a tree or a lock, unless said otherwise: in a store over all of its processes. */
export const waitersMax = 100_000

export const tooMany = (what: string, max: number): StoreError.StoreError => refusedWaiter(`has ${max}`, what, max)

/** `max` is what all processes of a store are allowed, the parts of blocks that some of them have to spare included. */
export const tooManyOverAll = (what: string, max: number): StoreError.StoreError =>
  refusedWaiter(`in this store has, or has promised to its processes, ${max}`, what, max)

const refusedWaiter = (has: string, what: string, max: number): StoreError.StoreError =>
  StoreError.make(
    new StoreError.LimitExceeded({
      message: `the ${what} ${has} waiting requests already (waitersMax, in requests): nothing was taken, those in line are unharmed; ask again later, or give it a higher waitersMax`,
      limit: "waitersMax",
      max,
      actual: max + 1
    })
  )

export const invalid = (message: string): StoreError.StoreError =>
  StoreError.make(new StoreError.InvalidInput({ message }))

/** "" for a weight, a number of permits or parties that can be one. */
export const refusedCount = (what: string, value: number, max = Number.MAX_SAFE_INTEGER, min = 1): string =>
  Number.isSafeInteger(value) && value >= min && value <= max
    ? ""
    : `${what} must be a whole number from ${min} to ${max}, not ${value}: nothing was taken`

/** What is wrong with a mode that a lock has not, or a weight that is none. */
export const refusedMode = (
  what: string,
  modes: object,
  mode: string,
  weight: number
): StoreError.StoreError | undefined => {
  if (!Object.hasOwn(modes, mode)) return invalid(`the ${what} has no mode "${mode}": nothing was taken`)
  const refused = refusedCount(`a weight of the ${what}`, weight)
  return refused === "" ? undefined : invalid(refused)
}

export const threw = (what: string, mode: string, cause: unknown): StoreError.StoreError =>
  invalid(
    `the compatibility function of the mode "${mode}" of the ${what} threw ${String(cause)}; this request was refused, nothing was taken`
  )

export const otherDefinition = (what: string, theirs: string, ours: string): StoreError.StoreError =>
  invalid(`the ${what} is in use as "${theirs}", not as "${ours}": all must define it alike; nothing was taken`)
