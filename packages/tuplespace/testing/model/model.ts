/** The tuple model: a world as the checker wants it. */
import type { Key } from "@weft/domain/core/Key"
import * as SessionCells from "@weft/domain/core/SessionCells"
import type { Version } from "@weft/domain/core/Version"
import type { Model } from "@weft/domain/testing/ModelChecker"
import * as Sessions from "@weft/domain/testing/ModelSessions"
import { canonical, ModelStore, type Pending, run } from "@weft/domain/testing/ModelStore"
import { compile, fits } from "../../src/core/Template.ts"
import { toData } from "../../src/core/TemplateData.ts"
import { classOf, stampOf } from "../../src/internal/SpaceKeys.ts"
import { ofValue, Readied } from "../../src/internal/Tickets.ts"
import * as Clients from "./client.ts"
import { keyOf, orderOf, wordsOf } from "./order.ts"
import { steps } from "./steps.ts"
import {
  access,
  cellsOf,
  type Client,
  type Fresh,
  type Hand,
  nonceOf,
  nothing,
  type Place,
  type Process,
  sidOf,
  type State,
  type Tuple,
  type World
} from "./world.ts"

/** Rounds of one act whose private template is known beforehand. */
const roundsMax = 4

/** The model of a world. */
export const model = (world: World): Model<State> => {
  const clients = world.processes.flatMap((scripts, process) => scripts.map((script) => ({ process, script })))
  const named = clients.map(({ process, script }, i) => client("ABCDEF"[i]!, process, script))
  const readied = world.processes.map((_, p) => readiedOf(named.filter(({ process }) => process === p)))
  const place: Place = { cells: cellsOf(world.returnsMax ?? 3), readied, isFollowing: world.isFollowing === true }
  return {
    name: world.name,
    initial: initial(world, place, named),
    steps: steps(place),
    key: keyIn(place),
    wrong: wrongIn(place),
    ended: endedIn(place, world)
  }
}

const client = (name: string, process: number, script: Client["script"]): Client => ({
  name,
  process,
  script,
  at: 0,
  round: 0,
  life: 0,
  phase: "done",
  sent: undefined,
  watch: undefined,
  template: undefined,
  built: undefined,
  taking: undefined,
  willKey: undefined,
  taken: undefined,
  snapshot: 0,
  isOwed: false,
  isEnding: false
})

/** Private templates are decided by their own process alone. */
const readiedOf = (clients: ReadonlyArray<Client>): Readied => {
  const readied = new Readied({})
  for (const each of clients) {
    each.script.forEach((act, at) => {
      if (act.act === "out" || toData(act.template) !== undefined) return
      for (let round = 0; round < roundsMax; round++) {
        readied.add(nonceOf({ ...each, at, round }), compile(act.template, {}))
      }
    })
  }
  return readied
}

const initial = (
  { faults, passes, processes: scripts }: World,
  place: Place,
  clients: ReadonlyArray<Client>
): State => {
  const { cancels = 0, crashes = 0, expiries = 0 } = faults
  const processes = scripts.map((_, p): Process => {
    const rest = { hand: undefined, help: undefined, helping: undefined }
    return { life: 0, sid: sidOf(p, 0), isDead: false, isFollowing: false, unheard: [], fresh: nothing, ...rest }
  })
  const janitors = processes.flatMap((_, p) =>
    Array.from({ length: crashes > 0 || expiries > 0 ? 1 + expiries : 0 }, (__, life) =>
      Sessions.janitor(sidOf(p, life), p)
    )
  )
  const store = Sessions.opened(
    new ModelStore(),
    processes.map(({ sid }) => sid)
  )
  const counts = { cancels, crashes, expiries, passes: passes === true, now: 0 }
  const start: State = {
    store,
    processes,
    clients,
    janitors,
    ...counts,
    put: [],
    consumed: [],
    returned: [],
    fault: undefined
  }
  return clients.reduce((state, _, i) => Clients.start({ place, state, i }), start)
}

// What is wrong --------------------------------------------------------------------------------------------------------

const tupleAt = ({ cells }: Place, { now, store }: State, key: Key): Tuple =>
  run(store, (tx) => cells.base.decode(access(tx), tx.get(key)!, key), now).value!

/** Ids of the tuples in the cells that begin so. */
const idsUnder = (place: Place, state: State, prefix: Key): ReadonlyArray<number> =>
  state.store.cells.filter(({ key }) => key.startsWith(prefix)).map(({ key }) => tupleAt(place, state, key)[1])

const wrongIn =
  (place: Place) =>
  (state: State): string | undefined => {
    if (state.fault !== undefined) return state.fault
    const { dead, inFlight, tuples } = place.cells.keys
    const all = [...state.consumed]
    for (const prefix of [tuples, inFlight, dead]) all.push(...idsUnder(place, state, prefix))
    const twice = all.find((id, i) => all.indexOf(id) !== i)
    return twice === undefined ? badIndex(place, state) : `tuple ${twice} is there twice`
  }

/** Every tuple has its entry under each mask that may be looked at, and no entry is without its tuple. */
const badIndex = (place: Place, state: State): string | undefined => {
  const { cells } = place
  const { store } = state
  const entries = store.cells.filter(({ key }) => key.startsWith(cells.keys.entries))
  for (const { key } of entries) {
    if (store.cell(cells.keys.tuples + stampOf(key)) === undefined) return "an index entry without its tuple"
  }
  for (const { key } of store.cells) {
    if (!key.startsWith(cells.keys.tuples)) continue
    const tuple = tupleAt(place, state, key)
    for (let mask = 0; mask < 4; mask++) {
      const template = { ...compile(tuple, {}), mask }
      const isReady = run(store, (tx) => cells.isReady(tx, template), state.now).value === true
      if (isReady && !entries.some((entry) => entry.key === cells.keys.entries + classOf(tuple, mask) + stampOf(key))) {
        return `tuple ${tuple[1]} has no entry under mask ${mask}`
      }
    }
  }
  return undefined
}

const endedIn =
  (place: Place, { processes }: World) =>
  (state: State): string | undefined => {
    const { dead, inFlight, tickets, tuples } = place.cells.keys
    const stored = idsUnder(place, state, tuples)
    const expires = (id: number) =>
      processes.flat(2).some((act) => act.act === "out" && act.tuple[1] === id && act.expires === true)
    const here = [...stored, ...idsUnder(place, state, dead), ...state.consumed, ...withTheDead(state)]
    const lost = state.put.find((id) => !here.includes(id) && !(expires(id) && state.now > 0))
    if (lost !== undefined) return `tuple ${lost} is lost`
    for (const each of state.clients) {
      const reason = stuck(place, state, each, (id) => expires(id) && state.now > 0)
      if (reason !== undefined) return reason
    }
    if (idsUnder(place, state, inFlight).length > 0) return "a tuple stays in flight"
    const waiting = new Set(state.clients.filter(({ phase }) => phase === "await").map(({ taking }) => taking!.nonce))
    const left = state.store.cells.find(
      ({ cell, key }) => key.startsWith(tickets) && !waiting.has(ofValue(cell.value).nonce)
    )
    if (left !== undefined) return "a ticket is left behind"
    const wills = state.store.cells.filter(({ key }) => key.startsWith(SessionCells.prefixes.will))
    return wills.length > waiting.size ? "a will is left behind" : undefined
  }

/** Ids of tuples that somebody had taken who died before giving them back. */
const withTheDead = ({ clients, processes }: State): ReadonlyArray<number> =>
  clients.flatMap(({ at, process, script, taken }) =>
    processes[process]!.isDead && taken !== undefined && script[at]?.act !== "lease" ? [taken.tuple[1]] : []
  )

const stuck = (
  place: Place,
  state: State,
  { isOwed, name, phase, process, template }: Client,
  isExpired: (id: number) => boolean
): string | undefined => {
  if (state.processes[process]!.isDead || phase === "done") return undefined
  if (phase === "listen") return isOwed ? `${name} never sees a tuple that it waited for` : undefined
  if (phase !== "await") return `${name} stops at "${phase}"`
  const fit = state.store.cells.find(({ key }) => {
    if (!key.startsWith(place.cells.keys.tuples)) return false
    const tuple = tupleAt(place, state, key)
    return fits(template!, tuple) && !isExpired(tuple[1])
  })
  return fit === undefined ? undefined : `${name} waits, though ${tupleAt(place, state, fit.key)[1]} is there`
}

// When two states are the same -----------------------------------------------------------------------------------------

type Words = Array<string | Version>

const keyIn =
  (place: Place) =>
  (state: State): string => {
    const { cancels, consumed, crashes, expiries, janitors, now, passes, put, returned, store } = state
    const words: Words = [`${cancels}${crashes}${expiries}${now}${passes ? "p" : ""}`]
    words.push(`${consumed.toSorted().join()};${put.toSorted().join()};${returned.join()}`)
    for (const each of state.clients) ofClient(each, words)
    state.processes.forEach((each, p) => {
      const isOver = state.clients.every(({ phase, process }) => process !== p || phase === "done")
      // What a process heard for nobody changes nothing, nor do tickets that are gone: they do not come back.
      const tickets = each.fresh.tickets.filter((key) => store.cell(key) !== undefined)
      ofProcess(
        { ...each, ...(isOver ? { unheard: [], fresh: nothing } : { fresh: { ...each.fresh, tickets } }) },
        words
      )
    })
    for (const { pending, phase, seen } of janitors) words.push(`${phase}${mark(pending)}${seen}`)
    const isBuilding = state.clients.some(({ built }) => built !== undefined)
    for (const { cell, key } of store.cells) {
      words.push(...wordsOf(place.cells, key, cell))
      // A mask that was set back looks the same, but is not.
      if (isBuilding && key.startsWith(place.cells.keys.masks)) words.push(cell.version)
    }
    return canonical(words)
  }

const mark = (pending: Pending | undefined): string => (pending === undefined ? "-" : pending.isStale ? "s" : "f")

const ofClient = (each: Client, words: Words): void => {
  const { at, built, isEnding, isOwed, life, phase, round, sent, snapshot, taken, taking, watch, willKey } = each
  words.push(
    `${at}.${round}.${life}${phase}${isEnding ? "e" : ""}${isOwed ? "o" : ""}${mark(watch)}${sent?.kind ?? ""}${mark(sent?.pending)}${taking?.sid ?? ""}`
  )
  if (phase === "listen") words.push(snapshot)
  if (willKey !== undefined) words.push(...keyOf(willKey))
  if (taken !== undefined) words.push(...keyOf(taken.restore.ready))
  // What was indexed last has a byte more, so that the next range begins after it.
  if (built !== undefined) words.push(...keyOf(built.from.slice(0, -1)), built.since)
}

const ofProcess = (each: Process, words: Words): void => {
  words.push(`${each.life}${each.isDead ? "d" : ""}${each.isFollowing ? "f" : ""}`)
  for (const { key, version } of each.unheard) words.push(orderOf(stampOf(key)), version)
  ofFresh(each.fresh, words)
  if (each.help !== undefined) ofFresh(each.help, words)
  ofHand(each.hand, words)
  ofHand(each.helping, words)
}

const ofFresh = ({ tickets, tuples }: Fresh, words: Words): void => {
  words.push("t")
  for (const key of tickets) words.push(orderOf(stampOf(key)))
  words.push("u")
  for (const key of tuples) words.push(orderOf(stampOf(key)))
}

const ofHand = (hand: Hand | undefined, words: Words): void => {
  words.push(mark(hand?.pending))
  if (hand === undefined) return
  for (const { ticket, tuple } of hand.pairs) words.push(orderOf(ticket.stamp), orderOf(tuple.stamp))
  ofFresh(hand.fresh, words)
}
