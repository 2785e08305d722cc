/** The lock model: a world as the checker wants it. */
import type { Cell } from "../../src/core/Commit.ts"
import type { Key } from "../../src/core/Key.ts"
import { encode, stampLength } from "../../src/core/KeyCodec.ts"
import * as KeyDecode from "../../src/core/KeyDecode.ts"
import * as SessionCells from "../../src/core/SessionCells.ts"
import { toCounter } from "../../src/core/Value.ts"
import type { Version } from "../../src/core/Version.ts"
import type { Model } from "../ModelChecker.ts"
import { canonical, ModelStore, type Pending } from "../ModelStore.ts"
import * as Sessions from "../ModelSessions.ts"
import * as Clients from "./client.ts"
import { steps } from "./steps.ts"
import { areCompatible, type Client, sidOf, type State, tree, type World } from "./world.ts"

const names = ["A", "B", "C", "D"]

/** The model of a world. Throws `RangeError` for more than four clients. */
export const model = (world: World): Model<State> => {
  if (world.scripts.length > names.length) throw new RangeError(`at most ${names.length} clients`)
  return { name: world.name, initial: initial(world), steps, key, wrong, ended }
}

const initial = ({ faults, firstAloneCrashes, scripts }: World): State => {
  const store = Sessions.opened(
    new ModelStore(),
    scripts.map((_, i) => sidOf(names[i]!, 0))
  )
  const { bumps = 0, cancels = 0, crashes = 0, expiries = 0 } = faults
  const clients = scripts.map((script, i): Client => {
    const name = names[i]!
    const nothing = { sent: undefined, watch: undefined, asking: undefined, bump: undefined, shown: undefined }
    const rest = { phase: "done", ...nothing } as const
    const client = { name, script, life: 0, sid: sidOf(name, 0), at: 0, held: [], isEnding: false, isDead: false }
    return Clients.proceed(store, { ...client, ...rest, mayCrash: i === 0 || firstAloneCrashes !== true })
  })
  const janitors = clients.flatMap(({ name }, client) =>
    Array.from({ length: crashes > 0 || expiries > 0 ? 1 + expiries : 0 }, (_, life) =>
      Sessions.janitor(sidOf(name, life), client)
    )
  )
  const counts = { cancels, crashes, expiries, bumps }
  return { store, clients, janitors, ...counts, outside: new Map(), passed: [], fault: undefined }
}

const wrong = ({ clients, fault, store }: State): string | undefined => {
  if (fault !== undefined) return fault
  const held = clients.flatMap(({ held: grips, isDead, name }) =>
    grips.flatMap((grip) => {
      const record = store.cell(grip.recordKey)
      if (record === undefined) return []
      // What the dead sent may have landed without their hearing of it.
      const { nodes } = isDead ? (SessionCells.willOf(record.value) as SessionCells.Unlock) : grip
      return [{ name, nodes }]
    })
  )
  for (const [i, a] of held.entries()) {
    for (const b of held.slice(i + 1)) {
      if (a.name !== b.name && !areCompatible(a.nodes, b.nodes)) return `${a.name} and ${b.name} both hold`
    }
  }
  return undefined
}

const ended = ({ clients, store }: State): string | undefined => {
  const stuck = clients.find(({ isDead, phase }) => !isDead && phase !== "done")
  if (stuck !== undefined) return `${stuck.name} waits for ever`
  const left = store.cells.find(({ key }) => key.startsWith(tree) || key.startsWith(SessionCells.prefixes.will))
  return left === undefined ? undefined : `left behind: ${KeyDecode.decode(left.key).map(String).join(" ")}`
}

// When two states are the same -----------------------------------------------------------------------------------------

const key = (state: State): string => {
  const { bumps, cancels, clients, crashes, expiries, janitors, outside, passed, store } = state
  const words: Array<string | Version> = [store.version, `${cancels}${crashes}${expiries}${bumps}`]
  for (const client of clients) ofClient(client, words)
  for (const { pending, phase, seen } of janitors) words.push(`${phase}${mark(pending)}${seen}`)
  for (const [node, { read, write }] of outside) words.push(node, read, write)
  for (const { by, late, uses } of passed) {
    words.push(late.sid, late.at, by.sid, by.at, uses.map(({ node, use }) => use + node).join())
  }
  for (const { cell, key: at } of store.cells) words.push(...wordsOf(at, cell))
  return canonical(words)
}

const mark = (pending: Pending | undefined): string => (pending === undefined ? "-" : pending.isStale ? "s" : "f")

const ofClient = (client: Client, words: Array<string | Version>): void => {
  const { asking, at, bump, held, isDead, isEnding, life, phase, sent, shown, watch } = client
  words.push(
    `${at}${phase}${life}${isEnding ? "e" : ""}${isDead ? "d" : ""}${mark(bump)}${mark(watch)}`,
    `${sent?.kind ?? ""}${mark(sent?.pending)}${asking === undefined ? "" : asking.nonce}`
  )
  if (asking?.stamp !== undefined) words.push(asking.version)
  for (const { at: stamp, sid, token } of held) words.push(sid, stamp, token)
  if (shown !== undefined) words.push(`${shown.use}${shown.node}${shown.grip.sid}`, shown.grip.at, shown.grip.token)
}

const remembered = new WeakMap<Cell, ReadonlyArray<string | Version>>()

const wordsOf = (at: Key, cell: Cell): ReadonlyArray<string | Version> => {
  let words = remembered.get(cell)
  if (words === undefined) remembered.set(cell, (words = describe(at, cell)))
  return words
}
const data = encode(["data"])

const versionOf = (stamp: Key): Version =>
  (KeyDecode.decodePart(stamp, 0).part as { readonly version: Version }).version

const describe = (at: Key, { value }: Cell): ReadonlyArray<string | Version> => {
  if (at.startsWith(data)) return [at, toCounter(value)!]
  if (at.startsWith(tree)) return [at.slice(0, -stampLength), versionOf(at.slice(-stampLength)), text(value.bytes)]
  if (!at.startsWith(SessionCells.prefixes.will)) return [at, text(value.bytes)]
  const { holding, upgrades, ...will } = SessionCells.willOf(value) as SessionCells.Unlock
  const stamps = upgrades === undefined ? holding : [...holding, upgrades]
  return [at.slice(0, -stampLength), versionOf(at.slice(-stampLength)), JSON.stringify(will), ...stamps.map(versionOf)]
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
