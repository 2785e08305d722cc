/** The steps of the tuple model: what lands, who looks, what goes wrong. */
import type { Step } from "@weft/domain/testing/ModelChecker"
import * as Sessions from "@weft/domain/testing/ModelSessions"
import type { Janitor } from "@weft/domain/testing/ModelSessions"
import { land } from "@weft/domain/testing/ModelStore"
import type { Taken } from "../../src/internal/SpaceCells.ts"
import { stampOf } from "../../src/internal/SpaceKeys.ts"
import * as Clients from "./client.ts"
import { committed, ofProcess, older, whoWaits, withProcess } from "./matcher.ts"
import type { Act, Client, Place, State, Tuple } from "./world.ts"

export const steps =
  (place: Place) =>
  (state: State): ReadonlyArray<Step<State>> => {
    const found: Array<Step<State>> = []
    state.clients.forEach((client, i) => {
      if (client.sent !== undefined) found.push(landing(place, state, client, i))
      if (!state.processes[client.process]!.isDead) ofClient(place, state, client, i, found)
    })
    state.processes.forEach((process, p) => {
      ofProcess(place, state, p, found)
      if (process.isDead || state.crashes === 0) return
      if (state.clients.every((client) => client.process !== p || client.phase === "done")) return
      const dead = withProcess(state, p, { isDead: true, unheard: [], help: undefined })
      found.push({ isOptional: true, name: `process ${p} crashes`, to: { ...dead, crashes: state.crashes - 1 } })
    })
    state.janitors.forEach((janitor, i) => ofJanitor(place, state, janitor, i, found))
    if (state.passes) found.push({ isOptional: true, name: "time passes", to: { ...state, passes: false, now: 2 } })
    return found
  }

const ofClient = (place: Place, state: State, client: Client, i: number, found: Array<Step<State>>): void => {
  const { name, phase, watch } = client
  const turn = { place, state, i }
  if (phase === "idle") found.push({ name: `${name} sends a tuple`, to: Clients.send(turn, "out") })
  else if (phase === "follow") found.push({ name: `${name} begins to follow`, to: Clients.follow(turn) })
  else if (phase === "hold") found.push({ name: `${name} goes on with its lease`, to: Clients.hold(turn) })
  else if (phase === "begin") found.push({ name: `${name} begins`, to: Clients.firstLook(turn) })
  else if (phase === "look") found.push({ name: `${name} looks`, to: Clients.look(turn) })
  else if (phase === "await" && (watch === undefined || watch.isStale)) {
    found.push({ name: `${name} looks for its tuple`, to: Clients.awaitTuple(turn) })
  }
  if (state.cancels === 0 || phase === "done" || phase === "idle" || client.isEnding) return
  const next =
    client.sent === undefined ? Clients.unwind(turn) : Clients.withClient(state, i, { ...client, isEnding: true })
  found.push({ isOptional: true, name: `${name} is cancelled`, to: { ...next, cancels: state.cancels - 1 } })
}

const landing = (place: Place, state: State, client: Client, i: number): Step<State> => {
  const { kind, pending, value } = client.sent!
  const landed = land(state.store, pending)
  const isDead = state.processes[client.process]!.isDead
  if (landed === undefined) {
    const dropped = Clients.withClient(state, i, { ...client, sent: undefined })
    const turn = { place, state: dropped, i }
    const to = isDead ? dropped : Clients.isRepeated(client, kind) ? Clients.send(turn, kind) : Clients.unwind(turn)
    return { name: `${client.name}: ${kind} conflicts`, to }
  }
  const heard = committed(place, state, landed.store, landed.changes)
  const fault = kind === "first" || kind === "leaseFirst" ? barging(place, heard, client, value) : undefined
  const put = kind === "out" ? [...heard.put, idOf(client)] : heard.put
  const next: State = { ...heard, fault, put }
  const to = isDead ? buried(next, i) : Clients.arrived({ place, state: next, i }, kind, value, landed.version)
  return { name: `${client.name}: ${kind} lands`, to }
}

const idOf = ({ at, script }: Client): number => (script[at] as Extract<Act, { readonly act: "out" }>).tuple[1]

/** What the dead took has gone with them. */
const buried = (state: State, i: number): State => {
  const client = state.clients[i]!
  const { kind, value } = client.sent!
  const back = kind === "putBack" ? undefined : client.taken
  const gone = Clients.withClient(state, i, { ...client, sent: undefined, taken: back })
  const taken =
    kind === "first" || kind === "receive" ? (value as Taken<Tuple>) : kind === "done" ? client.taken : undefined
  return taken === undefined ? gone : { ...gone, consumed: [...gone.consumed, taken.tuple[1]] }
}

/** Who finds a tuple may not take it when somebody waits for it, nor leave an older one but for who waits. */
const barging = (place: Place, state: State, client: Client, value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const { restore, tuple } = value as Taken<Tuple>
  if (whoWaits(place, state, client.process, tuple) !== undefined) {
    return `${client.name} takes ${tuple[1]}, for which somebody waits`
  }
  const left = older(place, state, client.template!, stampOf(restore.ready))
  if (left === undefined) return undefined
  const isPassing = client.script[client.at]!.act === "takeIfPresent"
  if (isPassing && whoWaits(place, state, client.process, left) !== undefined) return undefined
  return `${client.name} takes ${tuple[1]}, though ${left[1]} is older`
}

const ofJanitor = (place: Place, state: State, janitor: Janitor, i: number, found: Array<Step<State>>): void => {
  const { owner, pending, phase, sid } = janitor
  const withJanitor = (to: State, next: Janitor): State => ({ ...to, janitors: to.janitors.with(i, next) })
  if (phase === "over") return
  if (phase === "idle") {
    const { isDead, sid: current } = state.processes[owner]!
    const isAbandoned = isDead || sid !== current
    if ((!isAbandoned && state.expiries === 0) || !Sessions.isOpen(state.store, janitor)) return
    const expiries = isAbandoned ? state.expiries : state.expiries - 1
    const to = { ...withJanitor(state, Sessions.begin(state.store, janitor)), expiries }
    found.push({ isOptional: !isAbandoned, name: `session ${sid} is taken for dead`, to })
    return
  }
  const what = `${phase === "removing" ? "removal" : "a will"} of session ${sid}`
  const landed = land(state.store, pending!)
  if (landed === undefined) {
    found.push({ name: `${what} conflicts`, to: withJanitor(state, Sessions.again(state.store, janitor)) })
    return
  }
  const heard = committed(place, state, landed.store, landed.changes)
  found.push({ name: `${what} lands`, to: withJanitor(heard, Sessions.next(landed.store, janitor)) })
}
