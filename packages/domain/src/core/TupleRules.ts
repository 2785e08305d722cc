/**
 * What becomes of a take in a tuple space when it ends, whoever ends it. Pure. In `domain`, since any process with a session
 * does the wills of the dead. Numbers in brackets are lines of the algorithm in docs/TUPLES.md.
 */

/** What the will of a take says: it waits in line, or a tuple was handed to it. `undefined`: it is over already. */
export type TakeWill = "ticket" | "restore" | undefined

/**
 * How a take ends: `received` by its caller or `done` as a lease [14, 17]; `cancelled` [15]; `released`, a lease whose work was
 * not done [17]; `died` with its session [16].
 */
export type TakeEnd = "received" | "done" | "cancelled" | "released" | "died"

/** What to do with what a take had. */
export type Settlement =
  /** Nothing: it is over, or has not come to this yet. */
  | "nothing"
  /** The ticket leaves the line. */
  | "leave"
  /** The tuple is gone for good. */
  | "consume"
  /** The tuple goes back with its stamp, as if it had never been handed out. */
  | "putBack"
  /** The tuple goes back with its stamp, one return more; after too many it is a dead letter. */
  | "return"

export const settle = (will: TakeWill, end: TakeEnd): Settlement => {
  if (will === undefined) return "nothing"
  if (will === "ticket") return end === "cancelled" || end === "died" || end === "released" ? "leave" : "nothing"
  if (end === "received" || end === "done") return "consume"
  return end === "cancelled" ? "putBack" : "return"
}

/** Whether a tuple that comes back for the `returns`th time is a dead letter. */
export const isDeadLetter = (returns: number, returnsMax: number): boolean => returns > returnsMax
