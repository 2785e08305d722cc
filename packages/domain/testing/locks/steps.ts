/** The steps of the lock model: what lands, who looks, what goes wrong. */
import type { KeyChange } from "../../src/core/Commit.ts"
import * as Cells from "../../src/core/LockCells.ts"
import * as SessionCells from "../../src/core/SessionCells.ts"
import { toCounter } from "../../src/core/Value.ts"
import * as sessionOps from "../../src/internal/sessionOps.ts"
import type { TxView } from "../../src/internal/TxView.ts"
import type { Step } from "../ModelChecker.ts"
import { after, land, type ModelStore, type Pending, run } from "../ModelStore.ts"
import * as Sessions from "../ModelSessions.ts"
import type { Janitor } from "../ModelSessions.ts"
import * as Clients from "./client.ts"
import { arrival, granted, isLawful } from "./outside.ts"
import { areCompatible, type Client, type State } from "./world.ts"

export const steps = (state: State): ReadonlyArray<Step<State>> => {
  const found: Array<Step<State>> = []
  state.clients.forEach((client, i) => {
    ofClient(state, client, i, found)
    if (!client.isDead && client.phase !== "done") interrupts(state, client, i, found)
    bumps(state, client, i, found)
  })
  state.janitors.forEach((janitor, i) => ofJanitor(state, janitor, i, found))
  return found
}

// Changes of a state ---------------------------------------------------------------------------------------------------

const withClient = (state: State, i: number, client: Client): State => ({
  ...state,
  clients: state.clients.with(i, client)
})

const withJanitor = (state: State, i: number, janitor: Janitor): State => ({
  ...state,
  janitors: state.janitors.with(i, janitor)
})

/** The state after a commit: whoever read what it changed is stale. */
const committed = (state: State, store: ModelStore, changes: ReadonlyArray<KeyChange>): State => {
  if (changes.length === 0) return state
  const seen = <P extends Pending | undefined>(pending: P): P =>
    (pending === undefined ? undefined : after(pending, changes)) as P
  return {
    ...state,
    store,
    clients: state.clients.map((client) => ({
      ...client,
      sent: client.sent === undefined ? undefined : { ...client.sent, pending: seen(client.sent.pending) },
      watch: seen(client.watch),
      bump: seen(client.bump)
    })),
    janitors: state.janitors.map((janitor) =>
      janitor.pending === undefined ? janitor : { ...janitor, pending: seen(janitor.pending) }
    )
  }
}

// Clients --------------------------------------------------------------------------------------------------------------

const ofClient = (state: State, client: Client, i: number, found: Array<Step<State>>): void => {
  const { name, phase } = client
  if (client.sent !== undefined) found.push(landing(state, client, i))
  if (client.shown !== undefined) found.push(arrival(state, client, i))
  if (client.isDead) return
  const { store } = state
  if (phase === "cycle") {
    found.push({ name: `${name} looks for a cycle`, to: withClient(state, i, Clients.lookForCycle(store, client)) })
  } else if (phase === "look" || (phase === "waits" && client.watch!.isStale)) {
    const isUpgrade = client.script[client.at]!.act === "upgrade"
    const next = isUpgrade ? Clients.send(store, client, "convert") : Clients.look(store, client)
    const fault = isUpgrade ? undefined : passed(state, i, next)
    const told = next.phase === "waits" ? "has to wait" : "goes on"
    found.push({ name: `${name} looks and ${told}`, to: granted({ ...withClient(state, i, next), fault }, state, i) })
  }
}

/** First come, first served: who is granted may have no earlier request beside it that excludes it. */
const passed = (state: State, i: number, client: Client): string | undefined => {
  if (client.held.length <= state.clients[i]!.held.length) return undefined
  const grip = client.held.at(-1)!
  for (const [j, other] of state.clients.entries()) {
    const { asking } = other
    if (j === i || asking?.stamp === undefined || asking.version >= grip.at) continue
    const record = state.store.cell(Cells.recordPrefix(other.sid) + asking.stamp)
    if (record === undefined) continue
    const will = SessionCells.willOf(record.value) as SessionCells.Unlock
    if (!areCompatible(will.nodes, grip.nodes))
      return `${client.name} is granted before ${other.name}, who asked earlier`
  }
  return undefined
}

const landing = (state: State, client: Client, i: number): Step<State> => {
  const { kind, pending, value } = client.sent!
  const landed = land(state.store, pending)
  if (landed === undefined) {
    const { store } = state
    const next = Clients.isRepeated(client, kind)
      ? Clients.send(store, { ...client, sent: undefined }, kind)
      : { ...client, sent: undefined }
    const to = withClient(
      state,
      i,
      next.isEnding && next.sent === undefined && !next.isDead ? Clients.unwind(store, next) : next
    )
    return { name: `${client.name}: ${kind} conflicts`, to }
  }
  const { changes, store, version } = landed
  const fault = kind === "write" ? staleWrite(state, client, changes) : undefined
  const heard = committed({ ...state, fault }, store, changes)
  const mine = { ...heard.clients[i]!, sent: undefined }
  const next = client.isDead ? mine : Clients.arrived(store, mine, kind, value, version)
  return { name: `${client.name}: ${kind} lands`, to: granted(withClient(heard, i, next), state, i) }
}

/** What was written under a lock must have been written by who holds it, and tokens of one datum may not fall. */
const staleWrite = ({ store }: State, client: Client, changes: ReadonlyArray<KeyChange>): string | undefined => {
  const lost = client.held.find((grip) => !isLawful(store, grip))
  if (lost !== undefined) return `${client.name} writes without holding its lock`
  for (const { after: now, before } of changes) {
    if (before === undefined || now === undefined) continue
    if (toCounter(before.value)! > toCounter(now.value)!) return `${client.name} writes with a token that falls`
  }
  return undefined
}

// What goes wrong ------------------------------------------------------------------------------------------------------

const interrupts = (state: State, client: Client, i: number, found: Array<Step<State>>): void => {
  if (state.cancels > 0 && !client.isEnding && client.sent?.kind !== "release") {
    const next: Client = client.sent === undefined ? Clients.unwind(state.store, client) : { ...client, isEnding: true }
    found.push({
      isOptional: true,
      name: `${client.name} is cancelled`,
      to: { ...withClient(state, i, next), cancels: state.cancels - 1 }
    })
  }
  if (state.crashes === 0 || !client.mayCrash) return
  const dead: Client = { ...client, isDead: true, watch: undefined }
  found.push({
    isOptional: true,
    name: `${client.name} crashes`,
    to: { ...withClient(state, i, dead), crashes: state.crashes - 1 }
  })
}

const bumpOf = (client: Client, count: number) => (tx: TxView) => sessionOps.bump(tx, client.sid, count)

const bumps = (state: State, client: Client, i: number, found: Array<Step<State>>): void => {
  const { bump, isDead, name, phase } = client
  if (bump !== undefined) {
    const landed = land(state.store, bump)
    const heard = landed === undefined ? state : committed(state, landed.store, landed.changes)
    found.push({ name: `${name}: bump lands`, to: withClient(heard, i, { ...heard.clients[i]!, bump: undefined }) })
  } else if (state.bumps > 0 && !isDead && phase !== "done") {
    const { request } = run(state.store, bumpOf(client, state.bumps))
    if (request.writes.length === 0) return
    const next: Client = { ...client, bump: { request, isStale: false } }
    found.push({
      isOptional: true,
      name: `${name} bumps`,
      to: { ...withClient(state, i, next), bumps: state.bumps - 1 }
    })
  }
}

// Whoever removes sessions -------------------------------------------------------------------------------------------------

const ofJanitor = (state: State, janitor: Janitor, i: number, found: Array<Step<State>>): void => {
  const { owner, phase, sid } = janitor
  if (phase === "over") return
  if (phase !== "idle") {
    found.push(janitorLands(state, janitor, i))
    return
  }
  const { isDead, sid: current } = state.clients[owner]!
  const isAbandoned = isDead || sid !== current
  if ((!isAbandoned && state.expiries === 0) || !Sessions.isOpen(state.store, janitor)) return
  const expiries = isAbandoned ? state.expiries : state.expiries - 1
  const to = { ...withJanitor(state, i, Sessions.begin(state.store, janitor)), expiries }
  found.push({ isOptional: !isAbandoned, name: `session ${sid} is taken for dead`, to })
}

const janitorLands = (state: State, janitor: Janitor, i: number): Step<State> => {
  const { pending, phase, sid } = janitor
  const landed = land(state.store, pending!)
  const what = phase === "removing" ? "removal" : "a will"
  if (landed === undefined) {
    const to = withJanitor(state, i, Sessions.again(state.store, janitor))
    return { name: `${what} of session ${sid} conflicts`, to }
  }
  const heard = committed(state, landed.store, landed.changes)
  return { name: `${what} of session ${sid} lands`, to: withJanitor(heard, i, Sessions.next(landed.store, janitor)) }
}
