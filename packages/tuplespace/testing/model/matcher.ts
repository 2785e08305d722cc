/**
 * Followers and matchers of the tuple model: what a process hears, and when it hands over for whom. The plan and the
 * hand-over are those of the space (`internal/matching.ts`), their order is that of `internal/Follower.ts`.
 */
import type { KeyChange } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import { after, land, type ModelStore, type Pending, run } from "@weft/domain/testing/ModelStore"
import type { Step } from "@weft/domain/testing/ModelChecker"
import { isNews } from "../../src/core/Handing.ts"
import { fits } from "../../src/core/Template.ts"
import * as matching from "../../src/internal/matching.ts"
import { stampOf } from "../../src/internal/SpaceKeys.ts"
import { ofValue } from "../../src/internal/Tickets.ts"
import * as Clients from "./client.ts"
import { orderOf } from "./order.ts"
import {
  access,
  type Client,
  type Fresh,
  type Hand,
  nothing,
  type Place,
  type Process,
  type Put,
  type State
} from "./world.ts"

export const withProcess = (state: State, p: number, changes: Partial<Process>): State => ({
  ...state,
  processes: state.processes.with(p, { ...state.processes[p]!, ...changes })
})

const isTaking = ({ isEnding, taking }: Client): boolean => taking !== undefined && !isEnding

// What a commit changes ------------------------------------------------------------------------------------------------

/** The state after a commit: whoever read what it changed is stale, followers have something to hear. */
export const committed = (place: Place, before: State, store: ModelStore, changes: ReadonlyArray<KeyChange>): State => {
  if (changes.length === 0) return before
  const puts = putsOf(place, before, changes)
  const back = puts.filter(({ isBack }) => isBack).map(({ tuple }) => tuple[1])
  const seen = <P extends Pending | undefined>(pending: P): P =>
    (pending === undefined ? undefined : after(pending, changes)) as P
  const handed = (hand: Hand | undefined) => (hand === undefined ? undefined : { ...hand, pending: seen(hand.pending) })
  const isOwed = (client: Client): boolean =>
    client.phase === "listen" && puts.some(({ tuple }) => fits(client.template!, tuple))
  const clients = before.clients.map((client) => ({
    ...client,
    sent: client.sent === undefined ? undefined : { ...client.sent, pending: seen(client.sent.pending) },
    watch: seen(client.watch),
    isOwed: client.isOwed || isOwed(client)
  }))
  const isWaiting = (p: number) =>
    clients.some((c) => c.process === p && ((place.isFollowing && isTaking(c)) || c.phase === "listen"))
  return {
    ...before,
    store,
    clients,
    returned: back.length === 0 ? before.returned : [...new Set([...before.returned, ...back])].sort(),
    processes: before.processes.map((process, p) => ({
      ...process,
      unheard: process.isFollowing && !process.isDead && isWaiting(p) ? [...process.unheard, ...puts] : process.unheard,
      hand: handed(process.hand),
      helping: handed(process.helping)
    })),
    janitors: before.janitors.map((each) =>
      each.pending === undefined ? each : { ...each, pending: seen(each.pending) }
    )
  }
}

const putsOf = (
  { cells }: Place,
  { now, store }: State,
  changes: ReadonlyArray<KeyChange>
): ReadonlyArray<Put & { readonly isBack: boolean }> =>
  changes.flatMap(({ after: cell, key }) => {
    if (cell === undefined || !key.startsWith(cells.keys.tuples)) return []
    const { value } = run(store, (tx) => cells.base.decode(access(tx), cell.value, key), now)
    const { version } = cell
    return [{ key, tuple: value!, version, isBack: orderOf(stampOf(key)) !== version }]
  })

// What a process does --------------------------------------------------------------------------------------------------

export const ofProcess = (place: Place, state: State, p: number, found: Array<Step<State>>): void => {
  const process = state.processes[p]!
  const { fresh, hand, help, helping, isDead, unheard } = process
  if (hand !== undefined) found.push(handLands(place, state, p, hand, "hand"))
  if (helping !== undefined) found.push(handLands(place, state, p, helping, "helping"))
  if (isDead) return
  const name = `process ${p}`
  if (unheard.length > 0) found.push({ name: `${name} hears of what was put out`, to: hear(place, state, p) })
  if (!place.isFollowing) {
    const to = hand === undefined && isWaiting(state, p) ? matchAll(place, state, p) : undefined
    if (to !== undefined) found.push({ name: `${name} matches`, to })
    return
  }
  const isBusy = fresh.tuples.length > 0 || fresh.tickets.some((key) => state.store.cell(key) !== undefined)
  if (isBusy && hand === undefined && isWaiting(state, p)) {
    found.push({ name: `${name} matches`, to: match(place, state, p) })
  }
  if (help !== undefined && helping === undefined) {
    found.push({ name: `${name} helps`, to: assist(place, state, p, help) })
  }
}

const isWaiting = ({ clients }: State, p: number): boolean => clients.some((c) => c.process === p && isTaking(c))

/** Hands over whatever there is to hand over, heard of or not. */
const matchAll = (place: Place, state: State, p: number): State | undefined => {
  const { tickets, tuples } = place.cells.keys
  const keys = state.store.cells.map(({ key }) => key)
  const fresh = {
    tickets: keys.filter((key) => key.startsWith(tickets)),
    tuples: keys.filter((key) => key.startsWith(tuples))
  }
  const { pairs } = planned(place, state, p, union(nothing, fresh))
  return pairs.length === 0 ? undefined : handOver(place, state, p, "hand", { pairs, isCut: false, fresh: nothing })
}

const hear = (place: Place, state: State, p: number): State => {
  const { fresh, unheard } = state.processes[p]!
  const isNeeded = place.isFollowing && isWaiting(state, p)
  const tuples = unheard.map(({ key }) => key)
  let next = withProcess(state, p, { unheard: [], fresh: isNeeded ? union(fresh, { tickets: [], tuples }) : fresh })
  state.clients.forEach((client, i) => {
    if (client.process !== p || client.phase !== "listen") return
    const isSeen = unheard.some(
      ({ tuple, version }) => isNews(version, client.snapshot) && fits(client.template!, tuple)
    )
    if (isSeen) next = Clients.goOn({ place, state: next, i })
  })
  return next
}

const union = (a: Fresh, b: Fresh): Fresh => ({
  tickets: [...new Set([...a.tickets, ...b.tickets])].sort((x, y) => (stampOf(x) < stampOf(y) ? -1 : 1)),
  tuples: [...new Set([...a.tuples, ...b.tuples])].sort()
})

const planned = ({ cells, readied }: Place, { now, store }: State, p: number, fresh: Fresh) =>
  run(store, (tx) => matching.plan(access(tx), cells, readied[p]!, fresh), now).value!

const match = (place: Place, state: State, p: number): State => {
  const { fresh, help } = state.processes[p]!
  const { isCut, pairs } = planned(place, state, p, fresh)
  const idle = withProcess(state, p, { fresh: nothing })
  if (pairs.length === 0) return idle
  const isOurs = pairs.some(({ ticket }) =>
    state.clients.some((c) => c.process === p && isTaking(c) && c.taking!.nonce === ticket.record.nonce)
  )
  if (!isOurs) return withProcess(idle, p, { help: union(help ?? nothing, fresh) })
  return handOver(place, idle, p, "hand", { pairs, isCut, fresh })
}

const assist = (place: Place, state: State, p: number, fresh: Fresh): State => {
  const { isCut, pairs } = planned(place, state, p, fresh)
  const idle = withProcess(state, p, { help: undefined })
  return pairs.length === 0 ? idle : handOver(place, idle, p, "helping", { pairs, isCut, fresh })
}

/** Hands over what was planned, or looks again when it no longer stands. */
const handOver = (
  { cells }: Place,
  state: State,
  p: number,
  slot: "hand" | "helping",
  hand: Omit<Hand, "pending">
): State => {
  const { request, value } = run(state.store, (tx) => matching.handOver(access(tx), cells, hand.pairs), state.now)
  if (value === false) return again(withProcess(state, p, { [slot]: undefined }), p, hand.fresh)
  return withProcess(state, p, { [slot]: { ...hand, pending: { request, isStale: false } } })
}

const again = (state: State, p: number, fresh: Fresh): State =>
  withProcess(state, p, { fresh: union(state.processes[p]!.fresh, fresh) })

const handLands = (place: Place, state: State, p: number, hand: Hand, slot: "hand" | "helping"): Step<State> => {
  const landed = land(state.store, hand.pending)
  const isDead = state.processes[p]!.isDead
  if (landed === undefined) {
    const gone = withProcess(state, p, { [slot]: undefined })
    const to = isDead ? gone : handOver(place, gone, p, slot, hand)
    return { name: `hand-over of process ${p} conflicts`, to }
  }
  const heard = withProcess(committed(place, state, landed.store, landed.changes), p, { [slot]: undefined })
  const to = hand.isCut && !isDead ? again(heard, p, hand.fresh) : heard
  return { name: `hand-over of process ${p} lands`, to: { ...to, fault: unfair(place, to, p, hand) } }
}

// What may not happen --------------------------------------------------------------------------------------------------

/** Tickets that stand. */
const standing = ({ cells }: Place, { store }: State) =>
  store.cells.filter(({ key }) => key.startsWith(cells.keys.tickets))

/** Who waits for a tuple, with an earlier ticket than `before`. */
export const whoWaits = (place: Place, state: State, p: number, tuple: readonly [string, number], before?: Key) =>
  standing(place, state).find(({ cell, key }) => {
    const template = place.readied[p]!.of(ofValue(cell.value))
    return template !== undefined && fits(template, tuple) && (before === undefined || stampOf(key) < before)
  })

/** A tuple that is older than one given, fits as well, and has been there all the time. */
export const older = (
  { cells }: Place,
  { now, returned, store }: State,
  template: Parameters<typeof fits>[0],
  stamp: Key
): readonly [string, number] | undefined =>
  run(
    store,
    (tx) => {
      for (const found of cells.fits(access(tx), template, false)) {
        if (found.stamp < stamp && !returned.includes(found.tuple[1])) return found.tuple
      }
      return undefined
    },
    now
  ).value

const unfair = (place: Place, state: State, p: number, { pairs }: Hand): string | undefined => {
  for (const { ticket, tuple } of pairs) {
    const passed = whoWaits(place, state, p, tuple.tuple, ticket.stamp)
    if (passed !== undefined) return `${ticket.record.nonce} is served before somebody with an earlier ticket`
    const left = older(place, state, ticket.template, tuple.stamp)
    if (left !== undefined) return `${ticket.record.nonce} gets ${tuple.tuple[1]}, though ${left[1]} is older`
  }
  return undefined
}
