/**
 * A client of the tuple model. What it does to the store are the operations of the space itself (`internal/SpaceCells.ts`);
 * here is only their order, which is that of `StoreTupleSpace.ts` and `internal/Taking.ts`.
 */
import type { Key } from "@weft/domain/core/Key"
import { encodePart, stampBytes } from "@weft/domain/core/KeyCodec"
import type { Version } from "@weft/domain/core/Version"
import * as sessionOps from "@weft/domain/internal/sessionOps"
import { retry } from "@weft/domain/internal/TxView"
import type { Access } from "@weft/domain/Collection"
import { run } from "@weft/domain/testing/ModelStore"
import { compile } from "../../src/core/Template.ts"
import type { Built, Found, Taken } from "../../src/internal/SpaceCells.ts"
import { takes } from "../../src/internal/SpaceKeys.ts"
import { recordOf } from "../../src/internal/Tickets.ts"
import {
  access,
  type Act,
  type Client,
  type Kind,
  nonceOf,
  type Place,
  sidOf,
  type State,
  type Tuple
} from "./world.ts"

/** Tuples that are indexed in one step when a mask is new. */
const indexedAtOnce = 1

/** A change of one client; what it sends is as of the state given. */
interface Turn {
  readonly place: Place
  readonly state: State
  readonly i: number
}

export const withClient = (state: State, i: number, client: Client): State => ({
  ...state,
  clients: state.clients.with(i, client)
})

const clientOf = ({ i, state }: Turn): Client => state.clients[i]!

const change = (turn: Turn, changes: Partial<Client>): Turn => ({
  ...turn,
  state: withClient(turn.state, turn.i, { ...clientOf(turn), ...changes })
})

const actOf = ({ at, script }: Client): Act => script[at]!

const operationOf = ({ place, state }: Turn, client: Client, kind: Kind): ((access: Access) => unknown) => {
  const { cells } = place
  const template = client.template!
  const readied = place.readied[client.process]!
  const { sid } = state.processes[client.process]!
  switch (kind) {
    case "out": {
      const { expires, tuple } = actOf(client) as Extract<Act, { readonly act: "out" }>
      return (access) => cells.out(access, tuple, expires === true ? 1 : undefined)
    }
    case "register":
      return ({ tx }) => cells.register(tx, template)
    case "index":
      return (access) => cells.build(access, template, client.built, indexedAtOnce)
    case "first":
      return (access) => {
        if (actOf(client).act !== "takeIfPresent") return cells.takeAtOnce(access, template, readied)
        const found = cells.free(access, template, readied, true)
        return found === undefined ? undefined : cells.take(access.tx, found)
      }
    case "ticket": {
      const under = client.taking!
      return ({ tx }) => cells.wait(tx, { id: under.sid }, template, recordOf(under.sid, under.nonce, template.places))
    }
    case "open":
      return ({ tx }) => sessionOps.open(tx, sidOf(client.process, client.life + 1))
    case "receive":
      return (access) => {
        const given = cells.received(access, client.willKey!)
        if (given === undefined || given === "gone") return undefined
        cells.settle(access.tx, client.willKey!, "received")
        return given
      }
    case "leaseFirst":
      return (access) => {
        if (!sessionOps.exists(access.tx, sid)) return "gone"
        const found = cells.atOnce(access, template, readied)
        if (found === undefined) return "none"
        cells.handOver(access.tx, found, client.willKey!, client.willKey!)
        return "taken"
      }
    case "done":
      return ({ tx }) => cells.settle(tx, client.willKey!, "done") === "consume"
    case "release":
      return ({ tx }) => cells.settle(tx, client.willKey!, "released")
    case "cancel":
      return ({ tx }) => cells.cancelByNonce(tx, client.taking!.sid, client.taking!.nonce)
    case "putBack":
      return ({ tx }) => cells.putBack(tx, client.taken!)
  }
}

/** Runs an operation and sends what it writes; one that writes nothing is over at once. */
export const send = (turn: Turn, kind: Kind): State => {
  const { state } = turn
  const client = clientOf(turn)
  const operation = operationOf(turn, client, kind)
  const { request, value } = run(state.store, (tx) => operation(access(tx)), state.now)
  if (request.writes.length === 0) return arrived(turn, kind, value, state.store.version)
  const sent = { kind, value, pending: { request, isStale: false } }
  return change(turn, { phase: "sent", watch: undefined, sent }).state
}

/** A client hears that what it sent took effect. */
export const arrived = (before: Turn, kind: Kind, value: unknown, version: Version): State => {
  const turn = change(before, { sent: undefined, watch: undefined })
  switch (kind) {
    case "out":
      return goOn(turn)
    case "register":
      if (clientOf(turn).isEnding) return unwind(turn)
      return value === true ? send(change(turn, { built: undefined }), "index") : begin(turn)
    case "index":
      if (clientOf(turn).isEnding) return unwind(turn)
      return value === undefined ? begin(turn) : send(change(turn, { built: value as Built }), "index")
    case "first":
      return looked(turn, value as Taken<Tuple> | undefined)
    case "ticket":
      return ticketed(turn, value as { readonly prefix: Key; readonly index: number } | undefined, version)
    case "open":
      return reopened(turn)
    case "receive":
      return value === undefined ? askAnew(turn) : got(turn, value as Taken<Tuple>)
    case "leaseFirst":
      return leased(turn, value as "gone" | "none" | "taken")
    case "done":
      return release(value === true ? consumed(turn, heldId(turn)) : turn)
    case "release":
      return goOn(change(turn, { willKey: undefined, taken: undefined }))
    case "cancel":
      return unwind(change(turn, { taking: undefined }))
    case "putBack":
      return unwind(change(turn, { taken: undefined }))
  }
}

const heldId = (turn: Turn): number => clientOf(turn).taken!.tuple[1]

const consumed = (turn: Turn, id: number): Turn => ({
  ...turn,
  state: { ...turn.state, consumed: [...turn.state.consumed, id] }
})

/** The first look of a take. */
const looked = (turn: Turn, taken: Taken<Tuple> | undefined): State => {
  if (taken !== undefined) return got(turn, taken)
  if (clientOf(turn).isEnding) return unwind(turn)
  return actOf(clientOf(turn)).act === "takeIfPresent" ? goOn(turn) : change(turn, { phase: "follow" }).state
}

/** A tuple is in hand: it is the caller's, unless that was cancelled meanwhile. */
const got = (turn: Turn, taken: Taken<Tuple>): State => {
  // An interrupted `takeIfPresent` may have taken effect, as any operation.
  if (clientOf(turn).isEnding && actOf(clientOf(turn)).act !== "takeIfPresent") {
    return unwind(change(turn, { taken, taking: undefined }))
  }
  return goOn(consumed(turn, taken.tuple[1]))
}

const askAnew = (turn: Turn): State => {
  if (clientOf(turn).isEnding) return unwind(turn)
  return begin(change(turn, { round: clientOf(turn).round + 1, taking: undefined, willKey: undefined }))
}

/** The session had ended: the process opens another one, unless it has done so already. */
const renewed = (turn: Turn): State => {
  const { process, round } = clientOf(turn)
  const { life } = turn.state.processes[process]!
  return send(change(turn, { round: round + 1, taking: undefined, willKey: undefined, life }), "open")
}

const reopened = (turn: Turn): State => {
  const client = clientOf(turn)
  const process = turn.state.processes[client.process]!
  const life = Math.max(process.life, client.life + 1)
  const processes = turn.state.processes.with(client.process, { ...process, life, sid: sidOf(client.process, life) })
  const next = { ...turn, state: { ...turn.state, processes } }
  return client.isEnding ? unwind(next) : begin(next)
}

const ticketed = (
  turn: Turn,
  value: { readonly prefix: Key; readonly index: number } | undefined,
  version: Version
): State => {
  if (value === undefined) return clientOf(turn).isEnding ? unwind(turn) : renewed(turn)
  if (clientOf(turn).isEnding) return unwind(turn)
  const { process: at, taking } = clientOf(turn)
  const stamp = stampBytes(version, value.index)
  const { state } = change(turn, { phase: "await", willKey: takes(taking!.sid) + stamp })
  const process = state.processes[at]!
  const fresh = { ...process.fresh, tickets: [...process.fresh.tickets, value.prefix + stamp] }
  return { ...state, processes: state.processes.with(at, { ...process, fresh }) }
}

const leased = (turn: Turn, value: "gone" | "none" | "taken"): State => {
  if (clientOf(turn).isEnding) return value === "taken" ? release(turn) : unwind(turn)
  if (value === "gone") return renewed(turn)
  return change(turn, value === "taken" ? { phase: "hold" } : { phase: "follow", willKey: undefined }).state
}

/** A lease is looked at: what was given, or that it went back with its session meanwhile. */
export const hold = (turn: Turn): State => {
  const { taken, willKey } = clientOf(turn)
  const { isDone } = actOf(clientOf(turn)) as Extract<Act, { readonly act: "lease" }>
  if (taken !== undefined) return isDone ? send(turn, "done") : release(turn)
  const { value } = run(turn.state.store, (tx) => turn.place.cells.received(access(tx), willKey!), turn.state.now)
  if (value === undefined || value === "gone") return askAnew(turn)
  return change(turn, { taken: value }).state
}

const release = (turn: Turn): State => send(turn, "release")

/** Waits until something was handed over. */
export const awaitTuple = (turn: Turn): State => {
  const { cells } = turn.place
  const { willKey } = clientOf(turn)
  const { isWaiting, request } = run(
    turn.state.store,
    (tx) => {
      if (cells.received(access(tx), willKey!) === undefined) throw retry
    },
    turn.state.now
  )
  if (isWaiting) return change(turn, { watch: { request, isStale: false } }).state
  const delivered = change(turn, { watch: undefined, taking: undefined })
  return actOf(clientOf(turn)).act === "lease" ? change(delivered, { phase: "hold" }).state : send(delivered, "receive")
}

/** From now on the process hears of every tuple put out; then the ticket is sent, or the reader looks again. */
export const follow = (turn: Turn): State => {
  const client = clientOf(turn)
  const process = turn.state.processes[client.process]!
  const processes = turn.state.processes.with(client.process, { ...process, isFollowing: true })
  const following: Turn = { ...turn, state: { ...turn.state, processes } }
  if (actOf(client).act === "read") return change(following, { phase: "look" }).state
  return send(change(following, { taking: { sid: process.sid, nonce: nonceOf(client) } }), "ticket")
}

/** A reader looks; the second time it is listening already. */
export const look = (turn: Turn): State => {
  const client = clientOf(turn)
  const first = (access: Access): Found<Tuple> | undefined => {
    for (const found of turn.place.cells.fits(access, client.template!, false)) return found
    return undefined
  }
  const { value } = run(turn.state.store, (tx) => first(access(tx)), turn.state.now)
  if (value !== undefined) return goOn(turn)
  if (client.phase === "begin") return change(turn, { phase: "follow" }).state
  return change(turn, { phase: "listen", snapshot: turn.state.store.version }).state
}

/** The next act, or the end. */
export const goOn = (turn: Turn): State => {
  const client = clientOf(turn)
  if (client.isEnding) return unwind(turn)
  const rest = { taking: undefined, willKey: undefined, taken: undefined, built: undefined, isOwed: false, round: 0 }
  return start(change(turn, { ...rest, at: client.at + 1, snapshot: 0 }))
}

export const start = (turn: Turn): State => {
  const act = clientOf(turn).script[clientOf(turn).at]
  if (act === undefined) return change(turn, { phase: "done" }).state
  if (act.act === "out") return change(turn, { phase: "idle" }).state
  const template = compile(act.template, {})
  const ready = change(turn, { template })
  return template.mask === 0 ? begin(ready) : send(ready, "register")
}

/** An act with its template ready: it begins when it is the client's turn. */
const begin = (turn: Turn): State => change(turn, { phase: "begin" }).state

/** The first look of an act. */
export const firstLook = (turn: Turn): State => {
  const { at, name, process, round } = clientOf(turn)
  const { act } = actOf(clientOf(turn))
  if (act === "read") return look(turn)
  if (act !== "lease") return send(turn, "first")
  const willKey = takes(turn.state.processes[process]!.sid) + encodePart(`${name}${at}.${round}`)
  return send(change(turn, { willKey }), "leaseFirst")
}

/** Ends a client that was cancelled: what it has goes back. */
export const unwind = (before: Turn): State => {
  const turn = change(before, { isEnding: true, watch: undefined })
  const { taken, taking, willKey } = clientOf(turn)
  if (taking !== undefined) return send(turn, "cancel")
  if (willKey !== undefined && actOf(clientOf(turn)).act === "lease") return release(turn)
  if (taken !== undefined) return send(turn, "putBack")
  return change(turn, { phase: "done" }).state
}

const uninterruptible: ReadonlyArray<Kind> = ["first", "leaseFirst", "receive", "cancel", "putBack", "release"]

/** Whether what a client sent is sent again when it conflicts. */
export const isRepeated = ({ isEnding }: Client, kind: Kind): boolean => !isEnding || uninterruptible.includes(kind)
