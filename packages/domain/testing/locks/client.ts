/**
 * A client of the lock model. What it does to the store are the operations of `StoreLock` themselves (`internal/lockOps.ts`,
 * `internal/sessionOps.ts`, `internal/Fences.ts`); here is only their order, which is that of `StoreLock.ts` and
 * `internal/HeldLock.ts`: request, look for a cycle when something is held, look until granted, and so on.
 */
import { encode, stampBytes } from "../../src/core/KeyCodec.ts"
import * as Cells from "../../src/core/LockCells.ts"
import * as Rules from "../../src/core/LockRules.ts"
import type { NodeMode } from "../../src/core/LockRules.ts"
import type { Unlock } from "../../src/core/SessionCells.ts"
import { fromCounter } from "../../src/core/Value.ts"
import type { Version } from "../../src/core/Version.ts"
import { firstLost } from "../../src/internal/Fences.ts"
import { cycleThrough } from "../../src/internal/lockCycles.ts"
import * as lockOps from "../../src/internal/lockOps.ts"
import * as sessionOps from "../../src/internal/sessionOps.ts"
import type { TxView } from "../../src/internal/TxView.ts"
import { type ModelStore, type Pending, run } from "../ModelStore.ts"
import { type Act, type Client, type Grip, type Kind, nodesOf, type Request, sidOf, tree } from "./world.ts"

/** The data that a node guards. */
export const dataKey = (node: string) => encode(["data", node])

const newest = ({ held }: Client): Grip => held[held.length - 1]!

const actOf = ({ at, script }: Client): Act => script[at]!

/** The request of the act that a client is at. */
const requestOf = (client: Client): Request => {
  const act = actOf(client)
  if ("request" in act) return act.request
  throw new Error(`${client.name} is at "${act.act}", which asks for nothing`)
}

const willOf = (client: Client, nodes: ReadonlyArray<NodeMode>, upgrades?: Grip): Unlock => ({
  kind: "unlock",
  tree,
  nodes,
  holding: upgrades === undefined ? stampsOf(client.held) : [upgrades.stamp, ...stampsOf(client.held.slice(0, -1))],
  owner: client.name,
  nonce: client.asking!.nonce,
  ...(upgrades === undefined ? {} : { upgrades: upgrades.stamp })
})

const stampsOf = (held: ReadonlyArray<Grip>) => held.map(({ stamp }) => stamp)

/** What an upgrade asks for beyond what is held. */
const moreOf = (client: Client): ReadonlyArray<NodeMode> =>
  Rules.changed(newest(client).nodes, nodesOf(requestOf(client)))

const operationOf = (client: Client, kind: Kind): ((tx: TxView) => unknown) => {
  const under = { id: client.sid }
  switch (kind) {
    case "open":
      return (tx) => sessionOps.open(tx, client.sid)
    case "request":
      return (tx) => lockOps.append(tx, under, willOf(client, nodesOf(requestOf(client))))
    case "upgrade":
      return (tx) => lockOps.append(tx, under, willOf(client, moreOf(client), newest(client)))
    case "convert": {
      const tailKey = Cells.recordPrefix(client.sid) + client.asking!.stamp!
      return (tx) => lockOps.convert(tx, newest(client).recordKey, tailKey, moreOf(client))
    }
    case "write": {
      const { node } = actOf(client) as Extract<Act, { readonly act: "write" }>
      return (tx) => {
        const lost = firstLost(tx, client.held)
        if (lost === undefined) tx.set(dataKey(node), fromCounter(newest(client).token))
        return lost
      }
    }
    case "downgrade":
      return (tx) => lockOps.downgrade(tx, newest(client).recordKey, nodesOf(requestOf(client)))
    case "cancel":
      return (tx) => lockOps.releaseByNonce(tx, client.sid, client.asking!.nonce)
    case "release":
      return (tx) => lockOps.release(tx, newest(client).recordKey)
  }
}

/** Runs an operation and sends what it writes; one that writes nothing is over at once. */
export const send = (store: ModelStore, client: Client, kind: Kind): Client => {
  const { request, value } = run(store, operationOf(client, kind))
  if (request.writes.length === 0) {
    if (kind === "convert" && value === "wait") return { ...client, phase: "waits", watch: { request, isStale: false } }
    return arrived(store, client, kind, value, store.version)
  }
  return { ...client, phase: "sent", watch: undefined, sent: { kind, value, pending: { request, isStale: false } } }
}

/** A client hears that what it sent took effect. */
export const arrived = (store: ModelStore, before: Client, kind: Kind, value: unknown, version: Version): Client => {
  const client: Client = { ...before, sent: undefined, watch: undefined }
  const goOn = (next: Client): Client =>
    next.isEnding ? unwind(store, next) : proceed(store, { ...next, at: next.at + 1, asking: undefined })
  switch (kind) {
    case "open":
      return client.isEnding ? unwind(store, client) : send(store, client, "request")
    case "request":
    case "upgrade":
      return asked(store, client, kind, value as number | undefined, version)
    case "convert":
      if (value === "gone") return unwind(store, client)
      return goOn(replaced(client, combined(newest(client).nodes, moreOf(client)), version))
    case "write":
      return value === undefined ? goOn(client) : unwind(store, client)
    case "downgrade":
      if (value === false) return unwind(store, client)
      return goOn(replaced(client, nodesOf(requestOf(client)), newest(client).token))
    case "cancel":
      return unwind(store, { ...client, asking: undefined })
    case "release":
      return goOn({ ...client, held: client.held.slice(0, -1) })
  }
}

const asked = (
  store: ModelStore,
  client: Client,
  kind: "request" | "upgrade",
  index: number | undefined,
  version: Version
): Client => {
  if (index === undefined) {
    // The session has ended: what was held under it is lost; who holds nothing asks anew under another one.
    if (client.isEnding || client.held.length > 0) return unwind(store, client)
    const life = client.life + 1
    return send(store, { ...client, life, sid: sidOf(client.name, life) }, "open")
  }
  const known: Client = { ...client, asking: { ...client.asking!, stamp: stampBytes(version, index), version } }
  if (known.isEnding) return unwind(store, known)
  return { ...known, phase: kind === "request" && known.held.length === 0 ? "look" : "cycle" }
}

const combined = (held: ReadonlyArray<NodeMode>, more: ReadonlyArray<NodeMode>): ReadonlyArray<NodeMode> => [
  ...held.filter(({ node }) => !more.some((other) => other.node === node)),
  ...more
]

const replaced = (client: Client, nodes: ReadonlyArray<NodeMode>, token: Version): Client => ({
  ...client,
  held: [...client.held.slice(0, -1), { ...newest(client), nodes, token }]
})

/** Goes on to the next act of the script. */
export const proceed = (store: ModelStore, client: Client): Client => {
  const act = client.script[client.at]
  if (act === undefined) return { ...client, phase: "done" }
  const asking = { nonce: `${client.at}`, stamp: undefined, version: 0 }
  if (act.act === "take") return send(store, { ...client, asking }, "request")
  if (act.act === "give") return send(store, client, "release")
  if (act.act === "use") return { ...client, phase: "use", shown: { ...act, grip: newest(client) } }
  if (act.act !== "upgrade") return send(store, client, act.act)
  if (moreOf(client).length === 0) return proceed(store, { ...client, at: client.at + 1 })
  return send(store, { ...client, asking }, "upgrade")
}

/** Gives back what is held, newest first, the request under way before that. */
export const unwind = (store: ModelStore, before: Client): Client => {
  const client: Client = { ...before, isEnding: true, watch: undefined }
  if (client.asking !== undefined) return send(store, client, "cancel")
  if (client.held.length > 0) return send(store, client, "release")
  return { ...client, phase: "done" }
}

/** [7 to 9] */
export const look = (store: ModelStore, client: Client): Client => {
  const { stamp, version } = client.asking!
  const recordKey = Cells.recordPrefix(client.sid) + stamp!
  const nodes = nodesOf(requestOf(client))
  const stands = run(store, (tx) => lockOps.look(tx, recordKey, tree, nodes)).value!
  if (stands === "gone") return unwind(store, client)
  if (stands !== "granted") {
    const { request } = run(store, (tx) => lockOps.isBehind(tx, recordKey, stands.behind))
    return { ...client, phase: "waits", watch: { request, isStale: false } }
  }
  const grip: Grip = { sid: client.sid, stamp: stamp!, recordKey, at: version, nodes, token: store.version }
  const held = [...client.held, grip]
  return proceed(store, { ...client, watch: undefined, asking: undefined, held, at: client.at + 1 })
}

/** [18, 19] */
export const lookForCycle = (store: ModelStore, client: Client): Client => {
  const recordKey = Cells.recordPrefix(client.sid) + client.asking!.stamp!
  const { value } = run(store, (tx) => cycleThrough(tx, recordKey, client.sid))
  if (value !== undefined) return unwind(store, client)
  return client.script[client.at]!.act === "upgrade" ? send(store, client, "convert") : { ...client, phase: "look" }
}

/** Whether what a client sent is sent again when it conflicts. */
export const isRepeated = ({ isDead, isEnding }: Client, kind: Kind): boolean =>
  !isDead && (!isEnding || kind === "cancel" || kind === "release")

export const isStale = (pending: Pending | undefined): boolean => pending?.isStale === true
