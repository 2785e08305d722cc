/**
 * Sessions in models: whoever removes one, and does its wills one after the other. What is done to the store are the
 * operations of `Sessions.ts` (`internal/sessionOps.ts`).
 */
import * as Cells from "../src/core/SessionCells.ts"
import * as sessionOps from "../src/internal/sessionOps.ts"
import { land, type ModelStore, type Pending, run } from "./ModelStore.ts"

/** Whoever removes one session. */
export interface Janitor {
  readonly sid: string
  /** Index of who the session belongs to. */
  readonly owner: number
  readonly phase: "idle" | "removing" | "wills" | "over"
  /** The sign of life that was seen last. */
  readonly seen: number
  readonly pending: Pending | undefined
}

/** Wills that one commit does: one, so that death comes in as many steps as it can. */
const willsAtOnce = 1

export const janitor = (sid: string, owner: number): Janitor => ({
  sid,
  owner,
  phase: "idle",
  seen: 0,
  pending: undefined
})

/** A store with sessions. */
export const opened = (before: ModelStore, sids: ReadonlyArray<string>): ModelStore =>
  sids.reduce((store, sid) => {
    const { request } = run(store, (tx) => sessionOps.open(tx, sid))
    return land(store, { request, isStale: false })!.store
  }, before)

/** Whether there is a session to remove. */
export const isOpen = (store: ModelStore, { sid }: Janitor): boolean => store.cell(Cells.bumpKey(sid)) !== undefined

/** Takes a session for dead: the removal is sent, with the sign of life that is seen now. */
export const begin = (store: ModelStore, who: Janitor): Janitor =>
  remove(store, { ...who, seen: Cells.bumpOf(store.cell(Cells.bumpKey(who.sid))!.value) })

const remove = (store: ModelStore, who: Janitor): Janitor => {
  const { request, value } = run(store, (tx) => sessionOps.remove(tx, who.sid, who.seen))
  if (value === false) return { ...who, phase: "idle", pending: undefined }
  return { ...who, phase: "removing", pending: { request, isStale: false } }
}

const doWill = (store: ModelStore, who: Janitor): Janitor => {
  const { request } = run(store, (tx) => sessionOps.doWills(tx, who.sid, willsAtOnce))
  if (request.writes.length === 0) return { ...who, phase: "over", pending: undefined }
  return { ...who, phase: "wills", pending: { request, isStale: false } }
}

/** What was sent conflicted: it is run again. */
export const again = (store: ModelStore, who: Janitor): Janitor =>
  who.phase === "removing" ? remove(store, who) : doWill(store, who)

/** What was sent took effect: the next will. */
export const next = doWill
